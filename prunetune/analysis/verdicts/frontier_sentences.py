"""The verdict on two frontiers in words."""

from __future__ import annotations

from prunetune.analysis.format import plural, points
from prunetune.analysis.verdicts.claims import Claim
from prunetune.analysis.verdicts.frontiers import FrontierVerdict
from prunetune.analysis.verdicts.wording import (
    are_equivalent,
    beats,
    both_intervals,
    capital,
    effort,
    excludes_zero,
    of_what,
    reserved,
    reversal,
)
from prunetune.plan import Plan


def frontier_sentence(plan: Plan, verdict: FrontierVerdict) -> str:
    """Both the mean difference and its change with the budget, as far as they are known."""
    if verdict.area is None:
        return f"{verdict.a} and {verdict.b} over all budgets: not judged; {verdict.reason}."
    parts = [_area(plan, verdict), _change(plan, verdict)]
    if verdict.verdict == "undecided":
        parts.append(effort(verdict.decides_at, verdict.unit))
    return " ".join(part for part in parts if part) + reserved(verdict.reservations)


def claim_of(verdict: FrontierVerdict) -> Claim:
    """What the verdict may be said of."""
    return Claim(subject=verdict.subject, dense_networks=verdict.dense_networks)


def _area(plan: Plan, verdict: FrontierVerdict) -> str:
    claim = claim_of(verdict)
    over = f"over {plural(len(verdict.budgets), 'budget')}"
    these = f"on these {plural(plan.test_size, 'test image')}"
    numbers = f"({verdict.a} minus {verdict.b}: {_intervals(plan, verdict)}; {_error(verdict)})"
    ahead = f"by {points(verdict.area, signed=False)} points on average"
    if verdict.verdict == "equivalent":
        margin = points(plan.confirm.margin, signed=False)
        text = f"{over} and {these}, {are_equivalent((verdict.a, verdict.b), claim)} on average: "
        text += f"the mean difference is below {margin} points, the margin stated beforehand"
        return f"{capital(text)} {numbers}.{reversal(verdict.shift)}"
    if verdict.winner is not None:
        loser = verdict.b if verdict.winner == verdict.a else verdict.a
        holds = excludes_zero(verdict.new_low, verdict.new_high)
        scope = over if holds else f"{over} and {these}"
        text = f"{scope}, {beats(verdict.winner, (loser,), claim)} {ahead}"
        doubt = "" if holds else " On other test images it may not hold."
        return f"{capital(text)} {numbers}.{doubt}{reversal(verdict.shift)}"
    a, b = verdict.a, verdict.b
    area = verdict.area or 0.0
    first, second = (a, b) if area >= 0 else (b, a)
    doubt = verdict.reason or "this may be chance"
    lead = f"{over}, {of_what(first, claim)} is ahead of {second} {ahead}"
    if not round(1e4 * area):
        lead = f"{over}, {a} and {b} are level on average"
        doubt = verdict.reason or "either may be ahead"
    return f"{capital(lead)}, but {doubt} {numbers}."


def _intervals(plan: Plan, verdict: FrontierVerdict) -> str:
    ends = (verdict.low, verdict.high), (verdict.new_low, verdict.new_high)
    return both_intervals(plan.test_size, *ends, verdict.p)


def _error(verdict: FrontierVerdict) -> str:
    """Where the error comes from."""
    dense = ""
    if verdict.dense_networks is not None:
        dense = f" and {plural(verdict.dense_networks, 'dense network')}"
    if verdict.form == "searched":
        searches = plural(verdict.searches, "independent search")
        return f"error from {searches} an arm{dense}"
    if verdict.form == "repeated":
        return f"error from {plural(verdict.n, 'search')} an arm{dense}"
    noun = "search" if verdict.unit == "search" else "confirm seed"
    return f"error from {plural(verdict.n, noun)} an arm{dense}, none from the luck of the search"


def _change(plan: Plan, verdict: FrontierVerdict) -> str:
    """How the difference turns with the budget; empty if that is not known."""
    tilt = verdict.tilt
    if tilt is None or not tilt.significant:
        return ""
    loser = verdict.a if tilt.change < 0 else verdict.b
    these = _behind(tilt.change, tilt.change_low, tilt.change_high)
    new = _behind(tilt.change, tilt.change_new_low, tilt.change_new_high)
    holds = excludes_zero(*new)
    scope = "" if holds else f"on these {plural(plan.test_size, 'test image')} "
    doubt = "" if holds or new[0] is None else " On other test images it may not turn."
    crossing = ""
    if verdict.crossing is not None:
        crossing = f"; the fitted lines cross near {100 * verdict.crossing:.0f} % of the dense MACs"
    return (
        f"The answer turns with the budget: {scope}{of_what(loser, claim_of(verdict))} falls "
        f"behind by {points(tilt.change, signed=False)} points from the largest budget to the "
        f"smallest ({both_intervals(plan.test_size, these, new, tilt.p)}){crossing}.{doubt}"
    )


def _behind(
    change: float, low: float | None, high: float | None
) -> tuple[float | None, float | None]:
    """An interval of the change as an interval of how far the loser falls behind."""
    if low is None or high is None:
        return None, None
    return (low, high) if change > 0 else (-high, -low)
