"""One comparison, judged: who wins, with the intervals, and what would change that.

Two arms are equivalent if both one-sided tests place the difference within the margin stated
beforehand. Else an arm wins if the corrected p is small enough. The interval excludes zero exactly
if there is a significant difference, so that picture and verdict agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from prunetune.analysis.verdicts.claims import Claim, Subject
from prunetune.records.record import Frozen
from prunetune.statistics.contrasts import Contrast
from prunetune.statistics.corrections import agreeing_interval
from prunetune.statistics.enough import units_to_equivalence, units_to_win
from prunetune.statistics.equivalence import equivalence_p, equivalence_reach
from prunetune.statistics.images import on_new_images
from prunetune.statistics.intervals import ALPHA

Judgement = Literal["wins", "equivalent", "undecided"]
Unit = Literal["confirm seed", "search"]


class Judged(Frozen):
    """The judgement of a difference, a minus b. Differences are in accuracy."""

    a: str
    b: str
    verdict: Judgement = "undecided"
    winner: str | None = None
    low: float | None = None
    """Ends of the simultaneous interval over seeds (or searches), on these test images."""
    high: float | None = None
    p: float | None = None
    """Corrected."""
    new_low: float | None = None
    """Ends of the simultaneous interval on new test images; None where outputs are not kept."""
    new_high: float | None = None
    level: float | None = None
    """The level of both intervals is 1 - level."""
    n: int = 0
    """Independent values on the smaller side."""
    reach: float | None = None
    """The largest difference that the tests of equivalence leave open."""
    subject: Subject = "found"
    dense_networks: int | None = None
    reservations: tuple[str, ...] = ()
    """What weakens the verdict: confirm runs that failed and are in no mean."""
    shift: float | None = None
    """The smallest shift of one arm, all else equal, that changes this verdict."""
    decides_at: int | None = None
    """Values an arm at which the verdict would come with a probability of 80 %, if means and
    spreads stay as seen; None if it is there, or if a thousand would not do."""
    unit: Unit = "confirm seed"
    """What `n` and `decides_at` count."""
    reason: str | None = None
    """Why it is undecided, if the reason is not its interval."""

    paired: bool = False


class ImageSpread(NamedTuple):
    """What drawing other test images adds to the variance of a difference."""

    variance: float
    images: int


@dataclass(frozen=True)
class Measure:
    """A difference that was measured, and all that its judgement rests on."""

    contrast: Contrast
    claim: Claim
    unit: Unit
    values: int
    """Values an arm, in `unit`."""
    images: ImageSpread | None = None
    """None if outputs were not kept."""
    reservations: tuple[str, ...] = ()
    flattered: Mapping[str, str] = field(default_factory=dict)
    """Arm -> why it may not win."""


@dataclass(frozen=True)
class Levels:
    """The levels at which a difference is judged."""

    p: float
    """Its corrected p."""
    raw: float
    """Its p before the correction."""
    interval: float
    equivalence: float
    """Of each one-sided test of equivalence."""
    margin: float
    anytime: bool = False
    """Whether `raw` is the inverse of an e-value. Then no shift and no number of values follows."""
    closed: str | None = None
    """What has to be decided before it may be, whatever its own p."""

    @property
    def decisive(self) -> float:
        """The level at which this difference, all else equal, was or would be significant."""
        if self.p >= 1 or self.p <= 0:
            return self.interval
        return min(ALPHA, ALPHA * self.raw / self.p)


def judged(measure: Measure, a: str, b: str, levels: Levels) -> dict[str, Any]:
    """The fields of `Judged` for a minus b."""
    contrast, significant = measure.contrast, levels.p <= ALPHA
    same = equivalence_p(contrast, levels.margin) <= levels.equivalence
    level = 2 * levels.equivalence if same else levels.interval
    low, high = agreeing_interval(contrast, level, significant=significant)
    fields: dict[str, Any] = {
        "a": a, "b": b, "low": low, "high": high, "p": levels.p, "level": level,
        "n": measure.values, "reach": equivalence_reach(contrast, levels.equivalence),
        "subject": measure.claim.subject, "dense_networks": measure.claim.dense_networks,
        "unit": measure.unit, "paired": contrast.paired,
    }  # fmt: skip
    if measure.images:
        ends = interval_on_new_images(contrast, measure.images, level, significant=significant)
        fields |= {"new_low": ends[0], "new_high": ends[1]}
    return fields | _outcome(measure, a, b, levels, same) | _changes(measure, levels, same)


def _outcome(measure: Measure, a: str, b: str, levels: Levels, same: bool) -> dict[str, Any]:
    winner = a if measure.contrast.difference > 0 else b
    if not same and levels.p > ALPHA:
        return {"reason": levels.closed if levels.raw <= levels.interval else None}
    for arm, reason in measure.flattered.items():
        if same or winner == arm:
            return {"reason": reason}
    kept = {"reservations": measure.reservations}
    if same:
        return {"verdict": "equivalent", **kept}
    return {"verdict": "wins", "winner": winner, **kept}


def _changes(measure: Measure, levels: Levels, same: bool) -> dict[str, Any]:
    """What would change the verdict: a shift of one arm, or more values."""
    if levels.anytime:
        return {}
    contrast = measure.contrast
    spare = levels.margin - equivalence_reach(contrast, levels.equivalence)
    if same:
        return {"shift": spare}
    lead = abs(contrast.difference) - contrast.half_width(levels.decisive)
    # A shift towards zero may make the arms equivalent, if the margin leaves room for the error.
    room = abs(contrast.difference) + spare > 0
    shift = min(abs(lead), -spare) if room else abs(lead)
    if levels.p <= ALPHA:
        return {"shift": shift}
    if levels.closed:
        return {}
    enough = (
        units_to_win(contrast, measure.values, levels.decisive),
        units_to_equivalence(contrast, measure.values, levels.equivalence, levels.margin),
    )
    needed = min((n for n in enough if n is not None), default=None)
    return {"decides_at": needed, "shift": shift}


def interval_on_new_images(
    contrast: Contrast, images: ImageSpread, level: float, *, significant: bool
) -> tuple[float, float]:
    """The interval on new images; like that on these, it holds zero if there is no significance."""
    wider = on_new_images(contrast, images.variance, images.images)
    if not significant:
        return agreeing_interval(wider, level, significant=False)
    half = wider.half_width(level)
    return wider.difference - half, wider.difference + half
