"""Two arms compared over all budgets at once: who is ahead on average, and does that change?

The difference of two arms along the frontier is fitted by a line over the centred log MACs. The
*area* is its mean over the budgets; the *tilt* is its slope. Where every budget has a search of its
own, the scatter of the differences about the line measures the luck of the searches, which seeds of
one search cannot show. What budgets share, the dense networks above all, appears in the spread over
seeds. The error holds both.

Least squares on replicated curves; the degrees of freedom of the sum are Satterthwaite's
(Biometrics Bulletin 2, 1946), with a cap. The use of budgets as replicates of the search is our
own: see the operating characteristics in experiments/benchmarks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from prunetune.records.record import Frozen
from prunetune.statistics.contrasts import Contrast, paired, welch
from prunetune.statistics.moments import Floats, Moments

LEAST_BUDGETS = 4
"""Fewer budgets leave too few degrees of freedom where each was searched once."""
_CAP = 8
"""Degrees of freedom are at most (1 + 8 / seeds) times those of the scatter about the line.

Satterthwaite's formula takes them from that scatter itself. Where it is small by chance, both the
error and its degrees of freedom would come out too favourable: without the cap, three equal arms
with four budgets, one search and five seeds have a winner in 7 to 8 % of sweeps, in 12 % with ten
seeds; with it in 2 to 5 %. The more seeds, the less they contribute, hence the fall of the cap.
"""


class FrontierContrast(Frozen):
    """Arm a minus arm b over all budgets."""

    area: Contrast
    """The mean difference, in accuracy."""
    tilt: Contrast
    """The slope of the difference: accuracy per unit of the natural logarithm of the MACs."""
    centre: float
    """Mean of the log MACs: where the fitted line has the value `area`."""

    def at(self, log_macs: float) -> float:
        """The fitted difference at these log MACs."""
        return self.area.difference + self.tilt.difference * (log_macs - self.centre)

    def crossing(self, log_macs: Sequence[float]) -> float | None:
        """The log MACs where the fitted line is zero; None if that is outside the budgets."""
        if self.tilt.difference == 0:
            return None
        x = self.centre - self.area.difference / self.tilt.difference
        return x if min(log_macs) <= x <= max(log_macs) else None


def searched_frontier(
    a: ArrayLike, b: ArrayLike, log_macs: ArrayLike, grain: float = 0.0
) -> FrontierContrast | None:
    """Area and tilt of a minus b where recipes were searched at every budget.

    Args:
        a: Accuracies of shape (replicates, seeds, budgets); NaN where a seed is missing.
        b: The other arm's; it may have another number of seeds.
        log_macs: Natural logarithm of the MACs at each budget.
        grain: The step in which accuracies come (one test image).

    A budget's mean is over the seeds that it has; the spread over seeds is that of the seeds that
    miss nowhere. None if a budget has no seed, below two complete seeds an arm, below three
    differences of replicates and budgets, or if all budgets have the same MACs.
    """
    z = np.asarray(log_macs, np.float64)
    curves = [np.asarray(x, np.float64) for x in (a, b)]
    complete = [x[:, ~np.isnan(x).any((0, 2))] for x in curves]
    replicates, _, budgets = curves[0].shape
    empty = any(np.isnan(x).all(1).any() for x in curves)
    few = min(x.shape[1] for x in complete) < 2 or replicates * budgets < 3
    if empty or few or np.ptp(z) == 0:
        return None
    mean_a, mean_b = (np.nanmean(x, 1) for x in curves)
    area, tilt = frontier_moments(mean_a - mean_b, complete[0], complete[1], z, grain)
    if min(area.error, tilt.error) == 0:
        return None
    n, centre = replicates * budgets, float(z.mean())
    return FrontierContrast(area=_contrast(area, n), tilt=_contrast(tilt, n), centre=centre)


def fixed_frontier(
    a: ArrayLike, b: ArrayLike, log_macs: ArrayLike, grain: float = 0.0, *, pairs: bool = False
) -> FrontierContrast | None:
    """Area and tilt of a minus b where nothing was searched, or where each curve is one search.

    Args:
        a: Accuracies of shape (curves, budgets): a curve is one seed over all budgets, or the mean
            over the seeds of one replicate of the search.
        b: The other arm's; the number of curves may differ unless they are `pairs`.
        log_macs: Natural logarithm of the MACs at each budget.
        grain: The step in which accuracies come (one test image).
        pairs: Whether curve i of both arms shares a block.

    Each curve has one area and one slope; they are compared by Welch's test, or in pairs. None
    below two curves an arm or if all budgets have the same MACs.
    """
    z = np.asarray(log_macs, np.float64)
    if np.ptp(z) == 0:
        return None
    curves = [np.asarray(x, np.float64) for x in (a, b)]
    levels = [x.mean(1).tolist() for x in curves]
    slopes = [_slope(x, z).tolist() for x in curves]
    # The mean of several rounded values, and their slope, have less rounding error than one value.
    grains = grain / math.sqrt(len(z)), grain / math.sqrt(_square(z))
    compare = paired if pairs else welch
    area = compare(levels[0], levels[1], grains[0])
    tilt = compare(slopes[0], slopes[1], grains[1])
    if area is None or tilt is None:
        return None
    return FrontierContrast(area=area, tilt=tilt, centre=float(z.mean()))


def frontier_moments(
    difference: Floats, a: Floats, b: Floats, log_macs: Floats, grain: float = 0.0
) -> tuple[Moments, Moments]:
    """Area and tilt of `searched_frontier`, for one sweep or along leading axes for many.

    Args:
        difference: Mean of a minus mean of b, of shape (…, replicates, budgets).
        a: Accuracies of the first arm by seed, of shape (…, replicates, seeds, budgets).
        b: The second arm's.
        log_macs: Natural logarithm of the MACs at each budget.
        grain: The step in which accuracies come.

    Area: variance s²/(R·B) + (v_a/n_a + v_b/n_b)/R, where s² is the residual mean square on R·B - 2
    degrees of freedom, and v the variance over seeds of a seed's mean over the budgets. Tilt: the
    sum of squares of the centred log MACs in place of B, and slopes in place of means. The degrees
    of freedom are Satterthwaite's, up to a cap.
    """
    replicates, budgets = difference.shape[-2:]
    z, square = log_macs - log_macs.mean(), _square(log_macs)
    level, slope = difference.mean((-2, -1)), _slope(difference, log_macs).mean(-1)
    fitted = level[..., None, None] + slope[..., None, None] * z
    free = replicates * budgets - 2
    rounding = grain**2 / 12
    seeds = [x.shape[-2] for x in (a, b)]
    residual = ((difference - fitted) ** 2).sum((-2, -1)) / free
    residual = np.maximum(residual, sum(rounding / n for n in seeds))

    def moments(estimate: Floats, weight: float, spreads: list[Floats]) -> Moments:
        searches = residual / (replicates * weight)
        over_seeds = [
            np.maximum(v, rounding / weight) / (n * replicates)
            for v, n in zip(spreads, seeds, strict=True)
        ]
        shared = over_seeds[0] + over_seeds[1]
        variance = searches + shared
        shared_df = replicates * (sum(seeds) - 2)
        with np.errstate(invalid="ignore"):  # no scatter at all: the caller sees error 0
            df = variance**2 / (searches**2 / free + shared**2 / shared_df)
        cap = (1 + _CAP / max(seeds)) * free
        return Moments(estimate, np.sqrt(variance), np.minimum(df, cap))

    areas = [_variance(x.mean(-1)) for x in (a, b)]
    slopes = [_variance(_slope(x, log_macs)) for x in (a, b)]
    return moments(level, budgets, areas), moments(slope, square, slopes)


def frontier_weights(log_macs: ArrayLike) -> tuple[Floats, Floats]:
    """The weights of the budgets' accuracies in the area and in the tilt."""
    z = np.asarray(log_macs, np.float64)
    return np.full(len(z), 1 / len(z)), (z - z.mean()) / _square(z)


def _slope(curves: Floats, log_macs: Floats) -> Floats:
    """Least-squares slope of each curve; the last axis is that of the budgets."""
    slopes: Floats = (curves * frontier_weights(log_macs)[1]).sum(-1)
    return slopes


def _square(log_macs: Floats) -> float:
    """Sum of squares of the centred log MACs."""
    return float(((log_macs - log_macs.mean()) ** 2).sum())


def _variance(per_seed: Floats) -> Floats:
    """Variance over seeds (last axis), mean over the replicates (the axis before)."""
    variance: Floats = per_seed.var(-1, ddof=1).mean(-1)
    return variance


def _contrast(moments: Moments, n: int) -> Contrast:
    difference, error, df = (float(x) for x in moments)
    return Contrast(difference=difference, error=error, df=df, n=n, paired=False)
