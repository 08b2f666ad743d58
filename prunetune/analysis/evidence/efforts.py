"""Search effort: how good the best recipe of a study is after n trials, and after how many MACs.

Random and quasi-random trials are exchangeable, so the expected best of n follows from all N of
them without bias. Under a sampler that learns, a later trial depends on earlier ones; then only the
best so far, in the order of the trials, means anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from math import comb
from typing import Any, Literal

from prunetune.agenda import Agenda
from prunetune.analysis.evidence.detectable import detectable_difference
from prunetune.plan import Plan, Study
from prunetune.records.record import Frozen, Record
from prunetune.statistics.effort import best_so_far, expected_best, still_rising

_EXCHANGEABLE = ("random", "qmc")
BAND = (0.1, 0.9)
"""A single search of n trials ends below the band in 10 % of cases and above it in 10 %."""


class EffortCurve(Frozen):
    """The best validation accuracy of one study against the effort of its search."""

    study: str
    kind: Literal["expected best", "best so far"]
    best: tuple[float, ...]
    """After 1, 2, … trials. A trial that was stopped early counts as stopped, one without a result
    as 0. Configurations that the sweep file gives come first."""
    low: tuple[float, ...] = ()
    """Lower end of the band `BAND`, for the first half of the trials; beyond it the subsets overlap
    too much. Empty for `best so far`: one search has no band."""
    high: tuple[float, ...] = ()
    macs: tuple[float, ...] = ()
    """MACs spent by so many trials; for `expected best` the mean over all orders."""
    still_rising: bool = False
    """Whether the last third of the trials raised the best by more than half of the difference that
    the sweep can detect."""


def effort_curves(agenda: Agenda, difference: float | None = None) -> tuple[EffortCurve, ...]:
    """One curve for every study with ended search trials; `difference` is what it can detect."""
    limit = detectable_difference(agenda.plan) if difference is None else difference
    curves = []
    for study in agenda.plan.studies:
        if search := agenda.outcome(study).search:
            curves.append(_curve(agenda.plan, study, search, limit))
    return tuple(curves)


def worth(record: Record) -> float:
    """The accuracy with which a search trial enters: at the rung if it was or would be stopped."""
    if record.status not in ("completed", "stopped") or record.val_acc1 is None:
        return 0.0
    if record.would_stop_at is not None and len(record.curve) >= record.would_stop_at:
        return record.curve[record.would_stop_at - 1].val_acc1
    return record.val_acc1


def _curve(plan: Plan, study: Study, search: Sequence[Record], difference: float) -> EffortCurve:
    values, spent = [worth(r) for r in search], [r.train_macs.spent for r in search]
    in_order = best_so_far(values)
    if plan.sampler.name in _EXCHANGEABLE:
        fields = _expected(values, spent, min(len(study.first), len(search)))
    else:
        fields = {"kind": "best so far", "best": in_order, "macs": tuple(accumulate(spent))}
    rising = len(search) == study.trials and still_rising(in_order, difference)
    return EffortCurve(study=study.id, still_rising=rising, **fields)


def _expected(values: Sequence[float], spent: Sequence[int], given: int) -> dict[str, Any]:
    """The expected best, where the first `given` trials run recipes that the sweep file gives."""
    start, drawn = best_so_far(values[:given]), values[given:]
    lifted = [max(value, *start[-1:], 0.0) for value in drawn]  # a given recipe is in every subset
    within = max(0, len(values) // 2 - given)
    low, high = ([quantile_of_best(lifted, n + 1, q) for n in range(within)] for q in BAND)
    each = sum(spent[given:]) / max(1, len(drawn))
    return {
        "kind": "expected best",
        "best": (*start, *expected_best(lifted)),
        "low": (*start, *low),
        "high": (*start, *high),
        "macs": tuple(accumulate([*map(float, spent[:given]), *[each] * len(drawn)])),
    }


def quantile_of_best(values: Sequence[float], n: int, probability: float) -> float:
    """The quantile of the best of n trials, over all subsets of n of the values."""
    ordered, subsets = sorted(values), comb(len(values), n)
    for i, value in enumerate(ordered, 1):
        if comb(i, n) >= probability * subsets:
            return value
    raise ValueError(f"no subset of {n} among {len(values)} values")
