"""Differences of two means with their errors: Welch's for independent samples, and for pairs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

from prunetune.records.record import Frozen
from prunetune.statistics.intervals import rounded_variance, t_quantile


class Contrast(Frozen):
    """A difference of two means, its standard error and its degrees of freedom."""

    difference: float
    error: float
    df: float
    n: int
    """Number of values on the smaller side; number of pairs if paired."""
    paired: bool

    @property
    def p(self) -> float:
        """Two-sided p of the hypothesis that there is no difference, not corrected."""
        from scipy.special import stdtr

        return 2.0 * float(stdtr(self.df, -abs(self.difference) / self.error))

    def half_width(self, alpha: float) -> float:
        """Half the width of the interval at level 1 - alpha."""
        return t_quantile(1 - alpha / 2, self.df) * self.error


def welch(a: Sequence[float], b: Sequence[float], grain: float = 0.0) -> Contrast | None:
    """Mean of a minus mean of b, for independent samples; None below two values a side."""
    if min(len(a), len(b)) < 2:
        return None
    va, vb = rounded_variance(a, grain) / len(a), rounded_variance(b, grain) / len(b)
    if va + vb == 0:
        return None
    df = (va + vb) ** 2 / (va**2 / (len(a) - 1) + vb**2 / (len(b) - 1))
    difference = fmean(a) - fmean(b)
    n = min(len(a), len(b))
    return Contrast(difference=difference, error=math.sqrt(va + vb), df=df, n=n, paired=False)


def paired(a: Sequence[float], b: Sequence[float], grain: float = 0.0) -> Contrast | None:
    """Mean of a - b, for values in pairs that share a block; None below two pairs."""
    differences = [x - y for x, y in zip(a, b, strict=True)]
    n = len(differences)
    if n < 2:
        return None
    # A difference of two rounded values has twice the rounding variance of one value.
    error = math.sqrt(rounded_variance(differences, grain * math.sqrt(2)) / n)
    if error == 0:
        return None
    return Contrast(difference=fmean(differences), error=error, df=n - 1, n=n, paired=True)
