"""Which searched values go with accuracy: rank measures over the trials that the searches ran.

They describe these trials and are no proof of cause: a sampler that follows good results ties the
dimensions to each other. Ranks of accuracy are taken within a study, so that budgets do not
interfere.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from prunetune.config.space.space import Choice, Dimension
from prunetune.plan import Plan, Study
from prunetune.records.record import Frozen, Record

FEWEST_TRIALS = 8
"""Below so many trials a rank measure is noise, and none is given."""
_SPEARMAN_ERROR = 1.03
"""Standard error of Fisher's z for ranks, times sqrt(n - 3) (Fieller et al., Biometrika 1957)."""
_Z = 1.96

Values = NDArray[np.float64]


class Importance(Frozen):
    """How one searched value of an arm goes with the validation accuracy of its trials."""

    arm: str
    path: str
    measure: Literal["rank correlation", "variance share"]
    """Of numbers Spearman's rank correlation, from -1 to 1; of choices the share of the variance of
    accuracy's ranks that lies between the options, from 0 to 1."""
    value: float
    low: float | None = None
    high: float | None = None
    """Ends of the 95 % interval of a rank correlation, by Fisher's z."""
    by_chance: float | None = None
    """The variance share that options without any effect would show on average."""
    n: int


def importances(plan: Plan, records: Mapping[str, Record]) -> tuple[Importance, ...]:
    """The measures of every arm, the strongest first; completed search trials alone count."""
    trials = _completed(records)
    found = []
    for arm in plan.arms():
        studies = [(s, trials.get(s.id, [])) for s in plan.studies if s.arm == arm]
        found += sorted(_of_arm(arm, studies), key=_strength)
    return tuple(found)


def _completed(records: Mapping[str, Record]) -> dict[str | None, list[Record]]:
    """Study -> its completed search trials, by number."""
    by_study: dict[str | None, list[Record]] = {}
    for record in sorted(records.values(), key=lambda r: (r.number or 0, r.key)):
        completed = record.phase == "search" and record.status == "completed"
        if completed and record.val_acc1 is not None:
            by_study.setdefault(record.study, []).append(record)
    return by_study


def _strength(importance: Importance) -> float:
    strength = abs(importance.value)
    return -(strength**2 if importance.measure == "rank correlation" else strength)


def _of_arm(arm: str, studies: Sequence[tuple[Study, list[Record]]]) -> list[Importance]:
    dimensions: dict[str, Dimension] = {}
    for study, _ in studies:
        dimensions |= {d.path: d for d in study.space.dimensions if d.searched}
    found = []
    for path, dimension in dimensions.items():
        values: list[Any] = []
        ranked: list[float] = []
        for _, trials in studies:
            having = [r for r in trials if path in r.config]
            if len(having) > 1:
                values += [r.config[path] for r in having]
                ranked += list(_shares([r.val_acc1 or 0.0 for r in having]))
        if len(values) >= FEWEST_TRIALS and len(set(map(str, values))) > 1 and np.ptp(ranked) > 0:
            found.append(_measure(arm, dimension, values, np.array(ranked)))
    return found


def _measure(arm: str, dimension: Dimension, values: Sequence[Any], ranked: Values) -> Importance:
    n = len(values)
    if isinstance(dimension.domain, Choice):
        options = list(map(str, values))
        return Importance(
            arm=arm, path=dimension.path, measure="variance share", n=n,
            value=variance_share(options, ranked),
            by_chance=(len(set(options)) - 1) / (n - 1),
        )  # fmt: skip
    rho = float(np.corrcoef(average_ranks(values), average_ranks(ranked))[0, 1])
    z, half = math.atanh(max(min(rho, 1 - 1e-12), -1 + 1e-12)), _Z * _SPEARMAN_ERROR
    low, high = (math.tanh(z + sign * half / math.sqrt(n - 3)) for sign in (-1, 1))
    return Importance(
        arm=arm, path=dimension.path, measure="rank correlation", value=rho, low=low, high=high, n=n
    )


def average_ranks(values: Sequence[float] | Values) -> Values:
    """The rank of each value from 1 up; equal values share the mean of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse], dtype=np.float64)


def variance_share(options: Sequence[str], values: Values) -> float:
    """The share of the variance of `values` that lies between the options (eta squared)."""
    names = np.array(options)
    grand, between = values.mean(), 0.0
    for option in set(options):
        group = values[names == option]
        between += len(group) * float(group.mean() - grand) ** 2
    return between / float(((values - grand) ** 2).sum())


def _shares(values: Sequence[float]) -> Values:
    """Ranks within one study, scaled to 0 to 1, so that studies of any size can be pooled."""
    return (average_ranks(values) - 0.5) / len(values)
