"""Equivalence: whether a difference lies within a margin that was stated beforehand.

Two one-sided tests (Schuirmann, Journal of Pharmacokinetics and Biopharmaceutics 15, 1987). Each is
at the whole level: of the two false claims, "a is not worse by the margin" and "b is not worse by
the margin", at most one can be made in error. The interval at 1 - 2 * level says the same.
"""

from __future__ import annotations

from prunetune.statistics.contrasts import Contrast


def equivalence_p(contrast: Contrast, margin: float) -> float:
    """The larger p of the two one-sided tests, not corrected; 1 if the margin is 0.

    Arms of a family of m comparisons are equivalent at p <= alpha / m.
    """
    from scipy.special import stdtr

    if margin <= 0:
        return 1.0
    return float(stdtr(contrast.df, (abs(contrast.difference) - margin) / contrast.error))


def equivalence_reach(contrast: Contrast, level: float) -> float:
    """The largest distance from zero that the interval at 1 - 2 * level reaches.

    Any larger margin is met at this level, and no smaller one.
    """
    return abs(contrast.difference) + contrast.half_width(2 * level)
