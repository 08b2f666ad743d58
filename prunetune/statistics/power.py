"""The smallest difference that a comparison can detect, known before any trial runs."""

from __future__ import annotations

from functools import lru_cache

from prunetune.statistics.intervals import ALPHA

SEED_SPREAD = 0.002
"""Assumed standard deviation over seeds, in accuracy: 0.1 to 0.3 points are usual on CIFAR-10."""
POWER = 0.8


@lru_cache(maxsize=64)
def detectable(n: int, comparisons: int, spread: float = SEED_SPREAD) -> float | None:
    """The smallest difference of accuracy that is detected with a power of 80 %.

    The test is a two-sample t test with `n` seeds a side at level 0.05 / `comparisons`, the first
    step of Holm's procedure. None for n = 1, where no test exists.
    """
    from scipy.special import nctdtrinc, stdtrit  # scipy.stats takes a second to import

    if n < 2:
        return None
    df = 2 * n - 2
    critical = stdtrit(df, 1 - ALPHA / comparisons / 2)
    # The other tail of the two-sided test adds less than 1e-4 to the power.
    shift = float(nctdtrinc(df, 1 - POWER, critical))
    return float(shift / (n / 2) ** 0.5 * spread)
