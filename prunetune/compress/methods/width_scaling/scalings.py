"""All integer widths that one factor gives a network, from one channel per stage upwards."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from prunetune.compress.budget.rounding import rounded

Widths = tuple[int, ...]


def scalings(base: Widths, shares: Sequence[Fraction], round_to: int = 1) -> list[Widths]:
    """`base` times `shares` times any factor, rounded (halves up, to at least one), ascending.

    Widths above `round_to` are rounded to its multiples. They end where every width is that of
    `base` or more.
    """
    full = [width * share for width, share in zip(base, shares, strict=True)]
    end = 1 / min(shares)
    # The rounded widths change only where a scaled width passes k + 1/2, or halfway between two
    # multiples.
    factors = {
        Fraction(2 * k + 1, 2) * unit / f
        for f in full
        for unit in {1, round_to}
        for k in range(math.ceil(f * end / unit))
    }
    return list(
        dict.fromkeys(
            tuple(rounded(factor * f, round_to) for f in full)
            for factor in sorted(factors | {Fraction(0)})
        )
    )
