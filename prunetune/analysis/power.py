"""The difference that a comparison can detect, told before any trial is run."""

from __future__ import annotations

from functools import lru_cache

from prunetune.analysis.statistics import ALPHA

SEED_SPREAD = 0.002
"""Standard deviation over seeds that is assumed: 0.1 to 0.3 points are usual on CIFAR-10."""
POWER = 0.8


@lru_cache(maxsize=64)
def detectable(n: int, comparisons: int, spread: float = SEED_SPREAD) -> float | None:
    """The smallest difference of accuracy that is found with a power of 80 %.

    For a two-sample t test of `n` seeds each at level 0.05 / `comparisons` (the first step of
    Holm's procedure). None where n = 1: no interval, no difference.
    """
    from scipy.special import nctdtrinc, stdtrit  # scipy.stats takes a second to import

    if n < 2:
        return None
    df = 2 * n - 2
    critical = stdtrit(df, 1 - ALPHA / comparisons / 2)
    shift = float(nctdtrinc(df, 1 - POWER, critical))  # the other tail adds less than 1e-4
    return float(shift / (n / 2) ** 0.5 * spread)
