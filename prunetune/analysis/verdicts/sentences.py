"""The verdict at one budget in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from prunetune.analysis.evidence.frontier import FrontierRow
from prunetune.analysis.format import listing, plural, points
from prunetune.analysis.verdicts.arm_pairs import Pair
from prunetune.analysis.verdicts.claims import Claim
from prunetune.analysis.verdicts.verdict import Verdict
from prunetune.analysis.verdicts.wording import (
    are_equivalent,
    beats,
    both_intervals,
    capital,
    effort,
    excludes_zero,
    interval_words,
    of_what,
    reserved,
    reversal,
)
from prunetune.config.budget import RecordedBudget, budget_words
from prunetune.plan import MASKED, Plan


def contest_name(budget: RecordedBudget, matching: str | None) -> str:
    """A budget under a matching: `25 % of the dense MACs, scratch_b`."""
    share = budget_words(budget)
    return f"{share}, {matching}" if matching else share


def state(row: FrontierRow) -> str:
    """The progress of a study, with the caveat of masked networks."""
    return f"{row.state}; {MASKED}" if row.masked else row.state


def sentence(plan: Plan, verdict: Verdict) -> str:
    """The verdict of one contest in words."""
    text = _verdict(plan, verdict)
    if masked := masked_arms(plan, verdict.arms):
        text += f" The MACs of {listing(masked)} count only nonzero weights: {MASKED}."
    return text


def masked_arms(plan: Plan, arms: Iterable[str]) -> list[str]:
    """Those of the arms whose networks keep the dense shape with some weights at zero."""
    masked = {study.arm for study in plan.studies if study.masked}
    return [arm for arm in arms if arm in masked]


def _verdict(plan: Plan, verdict: Verdict) -> str:
    arms = [name for name, arm in verdict.arms.items() if not arm.infeasible]
    if len(arms) < 2:
        return f"Nothing to compare at this budget: {_alone(verdict, arms)}."
    if verdict.verdict == "undecided" and any(verdict.arms[arm].pending for arm in arms):
        return _unfinished(plan, verdict)
    if verdict.verdict == "wins" and verdict.winner:
        return _wins(plan, verdict, [arm for arm in arms if arm != verdict.winner])
    if verdict.verdict == "equivalent":
        return _equivalent(plan, verdict, arms)
    return _undecided(plan, verdict)


def _alone(verdict: Verdict, arms: Sequence[str]) -> str:
    if not arms:
        return "no arm can meet it"
    return f"only {arms[0]} can meet it" if len(verdict.arms) > 1 else f"{arms[0]} is the only arm"


def _wins(plan: Plan, verdict: Verdict, others: Sequence[str]) -> str:
    claim = beats(verdict.winner or "", others, verdict.claim)
    won = [pair for pair in verdict.pairs if pair.winner == verdict.winner]
    if not all(excludes_zero(pair.new_low, pair.new_high) for pair in won):
        claim = f"on these {plural(plan.test_size, 'test image')}, {claim}"
    intervals = both_intervals(
        plan.test_size, (verdict.low, verdict.high), (verdict.new_low, verdict.new_high), verdict.p
    )
    ahead = f"{points(verdict.difference, signed=False)} points ahead of {verdict.runner_up}"
    text = f"{capital(claim)}: {ahead} ({intervals})."
    if not all(excludes_zero(pair.new_low, pair.new_high) for pair in won):
        text += " On other test images it may not hold."
    return text + reversal(verdict.shift) + _reservations(won)


def _equivalent(plan: Plan, verdict: Verdict, arms: Sequence[str]) -> str:
    margin = points(plan.confirm.margin, signed=False)
    claim = capital(
        f"on these {plural(plan.test_size, 'test image')}, {are_equivalent(arms, verdict.claim)}"
    )
    widest = max((pair.reach or 0.0 for pair in verdict.pairs), default=0.0)
    new = [pair for pair in verdict.pairs if pair.new_low is not None]
    beyond = ""
    if new and len(new) == len(verdict.pairs):
        reach = max(max(abs(p.new_low or 0.0), abs(p.new_high or 0.0)) for p in new)
        beyond = f"; on new images the intervals reach {interval_reach(reach)}"
    return (
        f"{claim}: any difference is below {margin} points, the margin stated beforehand (the "
        f"tests leave open {interval_reach(widest)}{beyond})."
        f"{reversal(verdict.shift)}{_reservations(verdict.pairs)}"
    )


def interval_reach(reach: float) -> str:
    """A distance from zero, rounded up: `0.19 points`."""
    return interval_words(-reach, reach).split(" to ")[1].removeprefix("+")


def _unfinished(plan: Plan, verdict: Verdict) -> str:
    planned = plan.confirm.seeds * plan.replicates
    pending = [f"{name} {arm.pending}" for name, arm in verdict.arms.items() if arm.pending]
    return (
        f"Not finished, so there is no verdict yet; of {planned} confirm seeds each, still to "
        f"come: {', '.join(pending)}."
    )


def _undecided(plan: Plan, verdict: Verdict) -> str:
    judged = [p for p in verdict.pairs if p.verdict == "undecided" and p.low is not None]
    parts = ["Undecided.", *(_open(plan, p) for p in judged if verdict.best in (p.a, p.b))]
    if settled := [p for p in verdict.pairs if p.verdict != "undecided"]:
        parts += [f"Settled: {_settled(plan, pair)}." for pair in settled]
    if blocked := dict.fromkeys(p.reason for p in verdict.pairs if p.reason and p.low is None):
        parts.append(f"Not compared: {'; '.join(blocked)}.")
    if verdict.decides_at is not None:
        parts.append(effort(verdict.decides_at, verdict.unit))
    return " ".join(parts) + _reservations(settled)


def _open(plan: Plan, pair: Pair) -> str:
    ahead = points(pair.difference, signed=False)
    a, b = (pair.a, pair.b) if (pair.difference or 0) >= 0 else (pair.b, pair.a)
    claim = Claim(subject=pair.subject, dense_networks=pair.dense_networks)
    if ahead == points(0.0, signed=False):
        text, doubt = f"{pair.a} and {pair.b} are level", ""
    else:
        text = f"{of_what(a, claim)} is {ahead} points ahead of {b}"
        doubt = ", which may be chance"
    if pair.reason:
        doubt = f", but {pair.reason}"
    intervals = both_intervals(
        plan.test_size, (pair.low, pair.high), (pair.new_low, pair.new_high), pair.p
    )
    return f"{capital(text)}{doubt} ({pair.a} minus {pair.b}: {intervals})."


def _settled(plan: Plan, pair: Pair) -> str:
    claim = Claim(subject=pair.subject, dense_networks=pair.dense_networks)
    scope = f"on these {plural(plan.test_size, 'test image')}, "
    if pair.verdict == "equivalent":
        return f"{scope}{are_equivalent((pair.a, pair.b), claim)}"
    loser = pair.b if pair.winner == pair.a else pair.a
    text = f"{beats(pair.winner or '', (loser,), claim)} by {points(pair.difference, signed=False)}"
    if excludes_zero(pair.new_low, pair.new_high):
        scope = ""
    return f"{scope}{text} points"


def _reservations(pairs: Iterable[Pair]) -> str:
    return reserved(dict.fromkeys(r for pair in pairs for r in pair.reservations))
