"""Two arms judged at several looks: after each look, is the pair decided or still open?

Seeds are added to open pairs alone. A pair is decided at the first look at which Welch's test, or
the test of equivalence, is significant at that look's level. The looks and their levels are fixed
before the first trial (`looks.py`). Rounds of one search only: with several searches per study the
independent results are the searches, and seeds add none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from prunetune.statistics.contrasts import Contrast, welch
from prunetune.statistics.equivalence import equivalence_p

LEAST_VALUES = 3
"""Independent values an arm below which nothing is decided."""


class PlannedLook(NamedTuple):
    """A number of seeds an arm, and the test's level there as a share of the pair's own level."""

    seeds: int
    share: float


class Looked(NamedTuple):
    """What the looks that were taken say of a pair."""

    look: int
    """The look that decided, or the last that was taken; -1 before the first."""
    contrast: Contrast | None
    """The difference at that look; None before the first, and where values are missing."""
    decided: bool
    p: float
    """Corrected for the looks: the smallest p over them, each divided by its share."""
    level: float
    """The nominal level of the test at that look."""


def after_looks(
    a: Mapping[int, float],
    b: Mapping[int, float],
    looks: Sequence[PlannedLook],
    taken: int,
    level: float,
    margin: float,
    grain: float = 0.0,
) -> Looked:
    """The state of a pair after the first `taken` looks.

    Args:
        a: Accuracy by the position of its seed, 0 being the first; lost seeds are absent.
        b: The other arm's.
        looks: All looks of the plan, the first one first.
        taken: The number of looks all of whose seeds have ended, one way or another.
        level: The pair's level over all looks: alpha over the number of comparisons.
        margin: The difference below which arms count as equal.
        grain: The step in which accuracies come (one test image).
    """
    state = Looked(-1, None, False, 1.0, 0.0)
    for i, look in enumerate(looks[:taken]):
        first, second = ([v for j, v in sorted(x.items()) if j < look.seeds] for x in (a, b))
        nominal = look.share * level
        enough = min(len(first), len(second)) >= LEAST_VALUES
        contrast = welch(first, second, grain) if enough else None
        p = state.p if contrast is None else min(state.p, contrast.p / look.share)
        decided = contrast is not None and (
            contrast.p <= nominal or equivalence_p(contrast, margin) <= nominal
        )
        state = Looked(i, contrast, decided, p, nominal)
        if decided:
            break
    return state
