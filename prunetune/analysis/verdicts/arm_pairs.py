"""Two arms under one matching: their frontiers and their budgets, with the levels they share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from prunetune.analysis.verdicts.frontiers import (
    FrontierVerdict,
    frontier_verdict,
    unjudged_frontier,
)
from prunetune.analysis.verdicts.judged import Judged, Levels, Measure, judged
from prunetune.analysis.verdicts.measuring import FrontierMeasure, Sides, unready
from prunetune.plan import Comparison, Plan
from prunetune.registration import ContrastName, FrontierComparison
from prunetune.statistics.contrasts import Contrast
from prunetune.statistics.corrections import GatedPair
from prunetune.statistics.intervals import ALPHA

GATE = "single budgets are judged once the frontier of these two arms is decided"


class Pair(Judged):
    """The judgement of two arms at one budget: the difference a minus b of their means."""

    difference: float | None = None
    look: int | None = None
    """Confirm seeds at the look that decided, or at the last that was taken; None without looks."""


@dataclass(frozen=True)
class PairLevels:
    """The levels of a group."""

    contrast: float
    budget: float
    equivalent_frontier: float
    equivalent_budget: float
    margin: float
    anytime: bool = False


@dataclass
class ArmPair:
    """The comparisons of two arms under one matching, and what was measured for each."""

    members: list[Comparison] = field(default_factory=list)
    sides: list[Sides | None] = field(default_factory=list)
    measures: list[Measure | None] = field(default_factory=list)
    comparison: FrontierComparison | None = None
    frontier: FrontierMeasure | str = "the sweep has no such studies"

    def contrasts(self, names: Sequence[ContrastName]) -> list[Contrast | None]:
        """The contrasts of the frontier that the plan tests; None where nothing was measured."""
        if self.comparison is None:
            return []
        if isinstance(self.frontier, str):
            return [None] * len(names)
        measured = self.frontier.contrast
        return [measured.area if name == "area" else measured.tilt for name in names]

    def judged_pairs(
        self, raw: GatedPair, corrected: GatedPair, at: PairLevels
    ) -> Iterator[tuple[Comparison, Pair]]:
        """Every member with its judgement."""
        shut = bool(corrected.contrasts) and min(corrected.contrasts) > ALPHA
        for i, member in enumerate(self.members):
            measure, sides = self.measures[i], self.sides[i]
            if measure is None:
                yield member, unjudged_pair(member, sides)
                continue
            levels = Levels(
                p=corrected.budgets[i],
                raw=raw.budgets[i],
                interval=at.budget,
                equivalence=at.equivalent_budget,
                margin=at.margin,
                anytime=at.anytime,
                closed=GATE if shut else None,
            )
            fields = judged(measure, member.a, member.b, levels)
            yield member, Pair(**fields, difference=measure.contrast.difference)

    def judged_frontier(
        self,
        plan: Plan,
        names: Sequence[ContrastName],
        raw: GatedPair,
        corrected: GatedPair,
        at: PairLevels,
    ) -> FrontierVerdict:
        """The judgement of the frontiers."""
        assert self.comparison is not None
        if isinstance(self.frontier, str):
            return unjudged_frontier(self.comparison, self.frontier)
        levels = {
            name: Levels(
                p=corrected.contrasts[i],
                raw=raw.contrasts[i],
                interval=at.contrast,
                equivalence=at.equivalent_frontier,
                margin=at.margin,
                anytime=at.anytime,
            )
            for i, name in enumerate(names)
        }
        # An area that the plan does not test is shown, and never significant.
        untested = Levels(1.0, 1.0, at.contrast, at.equivalent_frontier, at.margin)
        area, tilt = levels.get("area", untested), levels.get("tilt")
        return frontier_verdict(plan, self.comparison, self.frontier, area, tilt)


def unjudged_pair(member: Comparison, sides: Sides | None) -> Pair:
    """A comparison about which nothing can be said, or not yet, and the reason."""
    if sides is None:
        return Pair(a=member.a, b=member.b, reason="the sweep has no such studies")
    a, b = (side.values.values() for side in sides)
    difference = fmean(a) - fmean(b) if a and b else None
    reason = unready(*sides) or "the results of both arms agree to the last bit"
    return Pair(a=member.a, b=member.b, difference=difference, reason=reason)
