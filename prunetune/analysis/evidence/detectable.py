"""The difference that a sweep can detect, from its plan and the spread of its own seeds."""

from __future__ import annotations

from collections.abc import Iterable
from math import sqrt
from statistics import variance

from prunetune.analysis.evidence.confirmed import ConfirmedStudy
from prunetune.plan import Plan
from prunetune.statistics.designs import SEED_SPREAD, welch_design
from prunetune.statistics.intervals import ALPHA
from prunetune.statistics.power import detectable


def detectable_difference(plan: Plan, confirmed: Iterable[ConfirmedStudy] = ()) -> float:
    """The smallest difference of accuracy that Welch's test finds with a power of 80 %.

    The spread over seeds is that of the confirmed networks, and an assumed one before there are
    any. The margin where no test exists (one result an arm).
    """
    if plan.n_independent < 2:
        return plan.confirm.margin
    spread = seed_spread(confirmed) or SEED_SPREAD
    level = ALPHA / max(1, len(plan.family))
    return detectable(welch_design(plan.n_independent), level) * spread / SEED_SPREAD


def seed_spread(confirmed: Iterable[ConfirmedStudy]) -> float | None:
    """The standard deviation over the seeds of one recipe, pooled over studies; None if unknown."""
    samples = [list(study.values.values()) for study in confirmed]
    degrees = sum(len(values) - 1 for values in samples if len(values) > 1)
    if not degrees:
        return None
    squares = sum((len(values) - 1) * variance(values) for values in samples if len(values) > 1)
    return sqrt(squares / degrees)
