"""How many seeds, or searches, would decide, at the difference and the spreads that were seen.

The error shrinks with the root of the number of units and the degrees of freedom grow with it; the
power is then that of the t test (noncentral t). The true difference may of course be another.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable

from prunetune.statistics.contrasts import Contrast
from prunetune.statistics.intervals import t_quantile
from prunetune.statistics.power import POWER

MOST = 1_000
"""Numbers above this are not looked for: no sweep has so many seeds."""


def units_to_win(contrast: Contrast, units: int, level: float) -> int | None:
    """The smallest number of units at which the difference seen is found with a power of 80 %.

    Args:
        contrast: The difference as it was measured.
        units: The number of units behind it: seeds of an arm, or replicates of the search.
        level: The two-sided level of the test at its step of the correction.

    Never fewer than `units`. None above `MOST`.
    """
    from scipy.special import nctdtr

    def power(n: int) -> float:
        grown = _grown(contrast, units, n)
        shift = abs(grown.difference) / grown.error
        return 1 - float(nctdtr(grown.df, shift, t_quantile(1 - level / 2, grown.df)))

    return _smallest(units, power)


def units_to_equivalence(contrast: Contrast, units: int, level: float, margin: float) -> int | None:
    """The smallest number of units at which arms this far apart are called equivalent.

    `level` is that of each one-sided test; the power is 80 %. None if the difference seen is not
    within the margin, or above `MOST`.
    """
    if abs(contrast.difference) >= margin:
        return None

    def power(n: int) -> float:
        from scipy.special import stdtr

        grown = _grown(contrast, units, n)
        critical = t_quantile(1 - level, grown.df)
        sides = ((margin + sign * grown.difference) / grown.error for sign in (1, -1))
        return sum(float(stdtr(grown.df, side - critical)) for side in sides) - 1

    return _smallest(units, power)


def _grown(contrast: Contrast, units: int, n: int) -> Contrast:
    """The contrast as it would be with n units and the same difference and spreads."""
    df = contrast.df * ((n - 1) / (units - 1) if units > 1 else n / units)
    error = contrast.error * math.sqrt(units / n)
    return contrast.model_copy(update={"df": df, "error": error, "n": n})


def _smallest(units: int, power: Callable[[int], float]) -> int | None:
    """The smallest number of units from `units` on with enough power, which grows with them."""
    if power(MOST) < POWER:
        return None
    candidates = range(units, MOST + 1)
    return candidates[bisect_left(candidates, POWER, key=power)]
