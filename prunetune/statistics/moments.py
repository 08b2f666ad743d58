"""Differences of many sweeps at once: what simulations of a test need, in arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Moments(NamedTuple):
    """Differences, their standard errors and their degrees of freedom, one of each per sweep."""

    difference: Floats
    error: Floats
    df: Floats

    def p(self) -> Floats:
        """Two-sided p of each difference, not corrected."""
        from scipy.special import stdtr

        ps: Floats = 2.0 * stdtr(self.df, -np.abs(self.difference) / self.error)
        return ps

    def half_width(self, alpha: float) -> Floats:
        """Half the width of each interval at level 1 - alpha."""
        from scipy.special import stdtrit

        widths: Floats = stdtrit(self.df, 1 - alpha / 2) * self.error
        return widths


def welch_moments(a: Floats, b: Floats) -> Moments:
    """`contrasts.welch` along the last axis, that of the seeds."""
    return welch_sums(
        a.mean(-1) - b.mean(-1), a.var(-1, ddof=1), b.var(-1, ddof=1), (a.shape[-1], b.shape[-1])
    )


def welch_sums(difference: Floats, var_a: Floats, var_b: Floats, n: tuple[int, int]) -> Moments:
    """Welch's test from the difference of the means, the sample variances and their sizes."""
    va, vb = var_a / n[0], var_b / n[1]
    df = (va + vb) ** 2 / (va**2 / (n[0] - 1) + vb**2 / (n[1] - 1))
    return Moments(difference, np.sqrt(va + vb), df)


def paired_moments(differences: Floats) -> Moments:
    """`contrasts.paired` along the last axis, that of the pairs."""
    n = differences.shape[-1]
    error = differences.std(-1, ddof=1) / np.sqrt(n)
    return Moments(differences.mean(-1), error, np.full(error.shape, n - 1.0))
