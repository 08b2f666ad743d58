"""The phrases of which all sentences about verdicts consist: subjects, scopes, intervals.

A phrase never claims more than its figures. Ends of intervals are rounded outwards, so that the
interval in words contains the interval in numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from prunetune.analysis.format import listing, p_value, plural, points
from prunetune.analysis.verdicts.claims import Claim
from prunetune.analysis.verdicts.judged import Unit
from prunetune.statistics.corrections import JUST_OFF_ZERO

_STEP = 1e-4
"""A hundredth of a percentage point: the last digit of a difference in words."""


def interval_words(low: float | None, high: float | None) -> str:
    """The ends of an interval in points, rounded outwards: `0.12 to 0.70 points`.

    An end that would be rounded to zero although the interval excludes zero reads `above 0`.
    """
    if low is None or high is None:
        return "no interval"
    return f"{_end(low, high, down=True)} to {_end(low, high, down=False)} points"


def _end(low: float, high: float, *, down: bool) -> str:
    value = low if down else high
    steps = math.floor(value / _STEP) if down else math.ceil(value / _STEP)
    if down and low > 0 and (steps <= 0 or low <= JUST_OFF_ZERO):
        return "above 0"
    if not down and high < 0 and (steps >= 0 or high >= -JUST_OFF_ZERO):
        return "below 0"
    return points(steps * _STEP) if steps else "0.00"


def excludes_zero(low: float | None, high: float | None) -> bool:
    """Whether an interval excludes zero."""
    return low is not None and high is not None and (low > 0 or high < 0)


def both_intervals(
    images: int,
    these: tuple[float | None, float | None],
    new: tuple[float | None, float | None],
    p: float | None,
) -> str:
    """The interval on new test images where there is one, that on these images, and p."""
    seeds = f"on these {plural(images, 'test image')} {interval_words(*these)}"
    corrected = f"corrected {p_value(p)}"
    if new[0] is None or new[1] is None:
        return f"95 % simultaneous interval {seeds}, over seeds alone; {corrected}"
    return (
        f"95 % simultaneous interval for new test images {interval_words(*new)}; {seeds}; "
        f"{corrected}"
    )


def beats(winner: str, others: Sequence[str], claim: Claim) -> str:
    """`pruned beats thin`, as far as the claim allows."""
    where = on_dense(claim)
    if claim.subject == "arms":
        return f"{winner} beats {listing(others)}{where}"
    if claim.subject == "stated":
        return f"with the recipes of the sweep file, {winner} beats {listing(others)}{where}"
    found = "that" if len(others) == 1 else "those"
    return f"the recipe found for {winner} beats {found} found for {listing(others)}{where}"


def are_equivalent(arms: Sequence[str], claim: Claim) -> str:
    """`pruned and thin are equivalent`, as far as the claim allows."""
    where = on_dense(claim)
    if claim.subject == "arms":
        return f"{listing(arms)} are equivalent{where}"
    if claim.subject == "stated":
        return f"with the recipes of the sweep file, {listing(arms)} are equivalent{where}"
    return f"the recipes found for {listing(arms)} are equivalent{where}"


def of_what(arm: str, claim: Claim) -> str:
    """The subject of a sentence about one arm's accuracy."""
    return f"the recipe found for {arm}" if claim.subject == "found" else arm


def on_dense(claim: Claim) -> str:
    """Where too few dense networks stand behind a result: ` on this dense network`."""
    if not claim.one_dense:
        return ""
    if claim.dense_networks == 1:
        return " on this dense network"
    return f" on these {claim.dense_networks} dense networks"


def capital(sentence: str) -> str:
    """The sentence with a capital, unless it begins with the name of an arm.

    Names of arms are written as in the sweep file.
    """
    head = sentence.split(" ", 1)[0]
    return sentence[0].upper() + sentence[1:] if head in _OPENERS else sentence


_OPENERS = ("the", "with", "on", "over", "one")


def effort(needed: int | None, unit: Unit) -> str:
    """How many values would decide."""
    if needed is None:
        return ""
    values = f"{plural(needed, unit)} {'a study' if unit == 'search' else 'an arm'}"
    return f"About {values} would decide, if means and spreads stay as seen."


def reserved(reservations: Iterable[str]) -> str:
    """What weakens a verdict, as sentences; empty if nothing does."""
    return "".join(f" {capital(reservation)}." for reservation in reservations)


def reversal(shift: float | None) -> str:
    """The smallest shift of one arm that undoes a verdict, rounded down."""
    if shift is None:
        return ""
    steps = int(shift / _STEP)
    amount = f"by about {steps / 100:.2f} points" if steps else "by less than 0.01 points"
    return f" A shift of one arm {amount} would undo this."
