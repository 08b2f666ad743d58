"""The break-even factor: how much training a network from scratch needs to equal a pruned one.

Whether thin or pruned wins turns on the length of training that thin networks are given. From their
accuracy at three lengths, linear in the logarithm of the training MACs, follows the length at which
they equal the pruned network; the factor is that length over all training behind the pruned
network, its dense network included. The interval is Fieller's (Journal of the Royal Statistical
Society B 16, 1954): all lengths at which the two do not differ significantly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean

from prunetune.records.record import Frozen
from prunetune.statistics.intervals import ALPHA, rounded_variance, t_quantile

LENGTHS = 3
"""Two lengths would fit any line without contradiction."""


class BreakEven(Frozen):
    """Training MACs at which scratch equals pruned, over the pruned network's total."""

    factor: float
    """Below 1, networks from scratch win even where the dense network is charged in full."""
    low: float | None
    """The interval's ends; None where no amount of training is excluded on that side."""
    high: float | None
    slope: float
    """Accuracy that a network from scratch gains when its training grows by the factor e."""
    extrapolated: bool
    """Whether the factor lies outside the lengths that were trained."""


def break_even(
    scratch: Mapping[float, Sequence[float]],
    pruned: Sequence[float],
    pruned_macs: float,
    grain: float = 0.0,
    alpha: float = ALPHA,
) -> BreakEven | None:
    """The break-even factor at one budget.

    Args:
        scratch: Training MACs of one network from scratch -> test accuracies over seeds.
        pruned: Test accuracies of the pruned network over seeds.
        pruned_macs: Training MACs of the pruned network with all that it inherits.
        grain: The step in which accuracies come (one test image).
        alpha: 1 - alpha is the confidence of the interval.

    None below three lengths or two seeds, or if longer training does not raise the accuracy.
    """
    if len(scratch) < LENGTHS or len(pruned) < 2 or min(map(len, scratch.values())) < 2:
        return None
    line = _Line([(math.log(macs), y) for macs, ys in scratch.items() for y in ys], grain)
    if line.slope <= 0:
        return None
    gap = fmean(pruned) - line.level
    at = line.centre + gap / line.slope
    seeds = rounded_variance(pruned, grain) / len(pruned)
    low, high = _fieller(line, gap, seeds, len(pruned) - 1, alpha)
    return BreakEven(
        factor=math.exp(at) / pruned_macs,
        low=None if low is None else math.exp(low) / pruned_macs,
        high=None if high is None else math.exp(high) / pruned_macs,
        slope=line.slope,
        extrapolated=not min(scratch) <= math.exp(at) <= max(scratch),
    )


class _Line:
    """Accuracy against log MACs by least squares, with the variance about the line."""

    def __init__(self, points: Sequence[tuple[float, float]], grain: float) -> None:
        self.n, self.df = len(points), len(points) - 2
        self.centre = fmean(x for x, _ in points)
        self.level = fmean(y for _, y in points)
        self.square = sum((x - self.centre) ** 2 for x, _ in points)
        self.slope = sum((x - self.centre) * y for x, y in points) / self.square
        rest = [y - self.level - self.slope * (x - self.centre) for x, y in points]
        self.variance = max(sum(r * r for r in rest) / self.df, grain**2 / 12)


def _fieller(
    line: _Line, gap: float, seeds: float, seed_df: int, alpha: float
) -> tuple[float | None, float | None]:
    """The log MACs where the line and the pruned mean stop to differ; None, None if they never do.

    (gap - slope * x)**2 = t**2 * (level + slope variance * x**2) is solved for x, the distance from
    the line's centre. Without a significant slope no length is excluded.
    """
    level = line.variance / line.n
    df = (level + seeds) ** 2 / (level**2 / line.df + seeds**2 / seed_df) if level + seeds else 1
    t2 = t_quantile(1 - alpha / 2, df) ** 2
    square = line.slope**2 - t2 * line.variance / line.square
    if square <= 0:
        return None, None
    middle = gap * line.slope / square
    root = math.sqrt(middle**2 - (gap**2 - t2 * (level + seeds)) / square)
    return line.centre + middle - root, line.centre + middle + root
