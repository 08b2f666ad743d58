"""The verdict on two frontiers: which arm is ahead over all budgets, and whether that turns."""

from __future__ import annotations

import math
from collections.abc import Sequence

from prunetune.analysis.verdicts.judged import Judged, Levels, interval_on_new_images, judged
from prunetune.analysis.verdicts.measuring import FrontierMeasure
from prunetune.config.budget import RecordedBudget
from prunetune.plan import Plan
from prunetune.records.record import Frozen
from prunetune.registration import FrontierComparison, FrontierForm
from prunetune.statistics.corrections import agreeing_interval
from prunetune.statistics.intervals import ALPHA


class Tilt(Frozen):
    """How the difference of two arms changes with the budget: a straight line in log MACs."""

    slope: float
    """Change of the difference (a minus b) per unit of the natural logarithm of the MACs."""
    low: float
    high: float
    df: float
    p: float
    """Corrected."""
    change: float
    """The fitted difference at the smallest budget minus that at the largest."""
    change_low: float
    change_high: float
    change_new_low: float | None = None
    """Ends of the interval on new test images; None where outputs are not kept."""
    change_new_high: float | None = None

    @property
    def significant(self) -> bool:
        """Whether the difference is known to change with the budget."""
        return self.p <= ALPHA


class FrontierVerdict(Judged):
    """The judgement of two arms over all budgets, by the mean of their differences."""

    matching: str | None
    budgets: tuple[RecordedBudget, ...]
    form: FrontierForm
    area: float | None = None
    """Mean over the budgets of the difference a minus b."""
    df: float | None = None
    tilt: Tilt | None = None
    crossing: float | None = None
    """The share of the dense MACs at which the fitted difference is zero; None if that is outside
    the budgets."""
    searches: int = 0
    """Independent searches an arm behind it."""


def unjudged_frontier(comparison: FrontierComparison, reason: str) -> FrontierVerdict:
    """The verdict while nothing can be said."""
    about = comparison.model_dump(include={"matching", "a", "b", "budgets", "form"})
    return FrontierVerdict(**about, reason=reason)


def frontier_verdict(
    plan: Plan,
    comparison: FrontierComparison,
    measured: FrontierMeasure,
    area: Levels,
    tilt: Levels | None,
) -> FrontierVerdict:
    """The verdict on one pair of frontiers.

    Args:
        plan: The plan.
        comparison: The pair.
        measured: What was measured of it.
        area: The levels of the mean difference.
        tilt: The levels of the change with the budget; None if it is not tested.
    """
    contrast = measured.contrast
    log_macs = [math.log(macs) for macs in comparison.target_macs]
    crossing = contrast.crossing(log_macs)
    about = comparison.model_dump(include={"matching", "budgets", "form"})
    per_arm = len(comparison.budgets) if comparison.form == "searched" else 1
    return FrontierVerdict(
        **about,
        **judged(measured.area, comparison.a, comparison.b, area),
        area=contrast.area.difference,
        df=contrast.area.df,
        tilt=_tilt(measured, log_macs, tilt) if tilt else None,
        crossing=math.exp(crossing) / plan.dense.macs if crossing is not None else None,
        searches=per_arm * plan.replicates,
    )


def _tilt(measured: FrontierMeasure, log_macs: Sequence[float], levels: Levels) -> Tilt:
    contrast, significant = measured.contrast.tilt, levels.p <= ALPHA
    low, high = agreeing_interval(contrast, levels.interval, significant=significant)
    width = max(log_macs) - min(log_macs)
    new: tuple[float, float] | None = None
    if measured.tilt_images:
        new = interval_on_new_images(
            contrast, measured.tilt_images, levels.interval, significant=significant
        )
    return Tilt(
        slope=contrast.difference,
        low=low,
        high=high,
        df=contrast.df,
        p=levels.p,
        change=-width * contrast.difference,
        change_low=-width * high,
        change_high=-width * low,
        change_new_low=-width * new[1] if new else None,
        change_new_high=-width * new[0] if new else None,
    )
