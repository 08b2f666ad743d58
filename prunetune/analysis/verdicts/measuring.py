"""Measures two arms: the contrast at one budget and over all budgets, or why there is none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prunetune.analysis.evidence.confirmed import grain
from prunetune.analysis.evidence.images import ImageScores, TestImages, frontier_scores, scores
from prunetune.analysis.evidence.samples import Sample
from prunetune.analysis.format import plural
from prunetune.analysis.verdicts.claims import claim
from prunetune.analysis.verdicts.judged import ImageSpread, Measure, Unit
from prunetune.plan import Plan
from prunetune.records.seeds import confirm_seed
from prunetune.registration import FrontierComparison
from prunetune.statistics.contrasts import Contrast, paired, welch
from prunetune.statistics.frontier import (
    FrontierContrast,
    fixed_frontier,
    frontier_weights,
    searched_frontier,
)
from prunetune.statistics.images import image_variance
from prunetune.statistics.sequential import LEAST_VALUES

Sides = tuple[Sample, Sample]


@dataclass(frozen=True)
class FrontierMeasure:
    """Two frontiers that were measured."""

    contrast: FrontierContrast
    area: Measure
    tilt_images: ImageSpread | None = None
    """What the choice of images adds to the error of the tilt; None where outputs are not kept."""


def unready(*sides: Sample) -> str | None:
    """Why two arms cannot be judged, or not yet; None if they can."""
    return next((reason for side in sides for reason in _obstacles(side)), None)


def _obstacles(sample: Sample) -> Iterator[str]:
    if sample.infeasible:
        yield f"{sample.arm} cannot meet this budget"
    if sample.pending:
        yield f"{sample.arm} still has {plural(sample.pending, 'confirm run')} to come"
    if len(sample.values) < LEAST_VALUES:
        noun = "search" if sample.by_search else "confirm seed"
        yield (
            f"{sample.arm} has {plural(len(sample.values), noun)}, and {LEAST_VALUES} are the "
            "fewest that can decide"
        )


def contrast(a: Sample, b: Sample, grain: float) -> Contrast | None:
    """a minus b: in pairs where the plan says so and the arms share a block, else by Welch."""
    if a.paired and b.paired and a.block == b.block:
        keys = sorted(a.values)
        return paired([a.values[k] for k in keys], [b.values[k] for k in keys], grain)
    return welch(list(a.values.values()), list(b.values.values()), grain)


class Measuring:
    """Measures pairs of samples of one sweep."""

    def __init__(self, plan: Plan, images: TestImages) -> None:
        self.plan, self.images = plan, images
        self._known: dict[int, ImageScores | None] = {}

    def pair(self, sides: Sides) -> Measure | None:
        """The difference of two arms at one budget; None if they cannot be judged."""
        measured = contrast(*sides, grain(self.plan)) if not unready(*sides) else None
        return None if measured is None else self.measure(measured, sides)

    def measure(self, measured: Contrast, sides: Sides) -> Measure:
        """A difference at one budget with all that its judgement rests on."""
        a, b = (self._scores(sample) for sample in sides)
        return Measure(
            measured,
            claim(self.plan, sides),
            _unit(sides[0]),
            measured.n,
            _image_spread(a, b, pairs=measured.paired),
            tuple(_reservations(sides)),
            _flattered(sides),
        )

    def frontier(
        self, comparison: FrontierComparison, contests: Sequence[Sides]
    ) -> FrontierMeasure | str:
        """The difference of two arms over their budgets, or why there is none."""
        for sides in contests:
            if (reason := _not_over_budgets(sides)) is not None:
                return reason
        log_macs = np.log(comparison.target_macs)
        if comparison.form == "searched":
            a, b = (self._by_seed([sides[i] for sides in contests]) for i in (0, 1))
            measured = searched_frontier(a, b, log_macs, grain(self.plan))
            values = self.plan.replicates
        else:
            measured, values = self._fixed(contests, log_macs)
        if measured is None:
            return "too few seeds were confirmed at all budgets"
        samples = [sample for sides in contests for sample in sides]
        level, slope = (self._spread(contests, w) for w in frontier_weights(log_macs))
        area = Measure(
            measured.area,
            claim(self.plan, samples, comparison.form),
            "search" if comparison.form == "searched" else _unit(samples[0]),
            values,
            level,
            tuple(dict.fromkeys(r for sides in contests for r in _reservations(sides))),
            {arm: reason for sides in contests for arm, reason in _flattered(sides).items()},
        )
        return FrontierMeasure(measured, area, slope)

    def _spread(
        self, contests: Sequence[Sides], weights: NDArray[np.float64]
    ) -> ImageSpread | None:
        """What the choice of images adds to a weighted sum of the differences at the budgets."""
        # The luck of searches stays in the spread over images: the result is rather too wide.
        of_arms = ([sides[i] for sides in contests] for i in (0, 1))
        return _image_spread(*(frontier_scores(arm, self.images, weights) for arm in of_arms))

    def _by_seed(self, samples: Sequence[Sample]) -> NDArray[np.float64]:
        """Accuracies of an arm of shape (replicates, seeds, budgets); NaN where one is missing."""
        seeds = self.plan.confirm.seeds
        curves = np.full((self.plan.replicates, seeds, len(samples)), np.nan)
        for b, sample in enumerate(samples):
            for confirmed in sample.studies:
                r = confirmed.study.replicate
                for j in range(seeds):
                    curves[r, j, b] = confirmed.values.get(confirm_seed(r, j), np.nan)
        return curves

    def _fixed(
        self, contests: Sequence[Sides], log_macs: NDArray[np.float64]
    ) -> tuple[FrontierContrast | None, int]:
        """The contrast from whole curves, one per value, and the number of curves."""
        keys = [
            sorted(set.intersection(*(set(sides[i].values) for sides in contests))) for i in (0, 1)
        ]
        pairs = all(a.paired and b.paired and a.block == b.block for a, b in contests)
        if pairs:
            keys = [sorted(set(keys[0]) & set(keys[1]))] * 2
        fewest = min(map(len, keys))
        if fewest < LEAST_VALUES:
            return None, fewest
        a, b = ([[sides[i].values[key] for sides in contests] for key in keys[i]] for i in (0, 1))
        measured = fixed_frontier(a, b, log_macs, grain(self.plan), pairs=pairs)
        return measured, fewest

    def _scores(self, sample: Sample) -> ImageScores | None:
        if id(sample) not in self._known:
            self._known[id(sample)] = scores(sample, self.images)
        return self._known[id(sample)]


def _image_spread(
    a: ImageScores | None, b: ImageScores | None, *, pairs: bool = False
) -> ImageSpread | None:
    if a is None or b is None or min(len(a), len(b)) < 2 or a.shape[1] < 2:
        return None
    return ImageSpread(image_variance(a, b, pairs=pairs), a.shape[1])


def _not_over_budgets(sides: Sides) -> str | None:
    """Why one budget keeps two frontiers from being compared."""
    for sample in sides:
        if sample.infeasible or sample.pending:
            return next(_obstacles(sample))
        seeds = sum(len(c.values) for c in sample.studies)
        if seeds < LEAST_VALUES or not all(c.values for c in sample.studies):
            return f"{sample.studies[0].study.id} has too few confirm seeds"
    return None


def _unit(sample: Sample) -> Unit:
    return "search" if sample.by_search else "confirm seed"


def _reservations(sides: Sides) -> Iterator[str]:
    """Confirm seeds that are in no mean although the arm itself may not be at fault."""
    for sample in sides:
        for confirmed in sample.studies:
            missing = [x for x in confirmed.lost if x.status in ("failed", "closed")]
            if missing:
                was = "was" if len(missing) == 1 else "were"
                why = missing[0].error or missing[0].status
                yield (
                    f"{plural(len(missing), 'confirm seed')} of {confirmed.study.id} {was} lost "
                    f"and left out of the mean ({why})"
                )


def _flattered(sides: Sides) -> dict[str, str]:
    """Arms that lost runs by their own doing: arm -> why it may neither win nor be equivalent."""
    reasons = {}
    for sample in sides:
        if sample.flattered:
            runs = "confirm runs" if len(sample.studies) == 1 else "searches or confirm runs"
            reasons[sample.arm] = (
                f"some {runs} of {sample.arm} diverged or were infeasible, so the remaining ones "
                "overstate its accuracy"
            )
    return reasons
