"""Two arms judged at several looks: after each look, is the pair decided or still open?

Seeds are added to open pairs alone. A pair is decided at the first look at which Welch's test, or
the test of equivalence, is significant at that look's level (`looks.look_levels`). Looks and levels
are fixed before the first trial. Values are the seeds of one search: where there are several
searches, these are the independent results, and more seeds add none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from prunetune.statistics.contrasts import Contrast, welch
from prunetune.statistics.equivalence import equivalence_p
from prunetune.statistics.intervals import ALPHA

LEAST_VALUES = 3
"""Independent values an arm below which nothing is decided."""


class LookState(NamedTuple):
    """What the looks that were taken say of a pair."""

    taken: int
    """Looks up to and with the one that decided; all that were taken where none did."""
    contrast: Contrast | None
    """The difference at the last of them; None before the first, and where values are missing."""
    decided: bool
    p: float
    """Corrected for the looks and for the family whose level they share."""


def after_looks(
    a: Mapping[int, float],
    b: Mapping[int, float],
    looks: Sequence[tuple[int, float]],
    taken: int,
    margin: float,
    grain: float = 0.0,
) -> LookState:
    """The state of a pair after the first `taken` looks.

    Args:
        a: Accuracy by the position of its seed, 0 being the first; lost seeds are absent.
        b: The other arm's.
        looks: Seeds an arm and nominal level of every look, the first look first.
        taken: The number of looks all of whose seeds have ended, one way or another.
        margin: The difference below which arms count as equal.
        grain: The step in which accuracies come (one test image).
    """
    state = LookState(0, None, decided=False, p=1.0)
    for i, (seeds, level) in enumerate(looks[:taken]):
        first, second = ([v for j, v in sorted(x.items()) if j < seeds] for x in (a, b))
        enough = min(len(first), len(second)) >= LEAST_VALUES
        contrast = welch(first, second, grain) if enough else None
        if contrast is None:
            state = LookState(i + 1, None, decided=False, p=state.p)
            continue
        p = min(state.p, ALPHA * contrast.p / level)
        decided = p <= ALPHA or equivalence_p(contrast, margin) <= level
        state = LookState(i + 1, contrast, decided, p)
        if decided:
            break
    return state
