"""The sentences of the report: each verdict in words that claim no more than its figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from prunetune.analysis.evidence.frontier import FrontierRow
from prunetune.analysis.format import listing, p_value, points
from prunetune.analysis.verdicts.comparisons import OPEN, Pair
from prunetune.analysis.verdicts.verdict import Verdict
from prunetune.config.budget import RecordedBudget, budget_words
from prunetune.plan import MASKED, Plan
from prunetune.statistics.intervals import binomial_half_width


def contest_name(budget: RecordedBudget, matching: str | None) -> str:
    """A budget under a matching: `0.25 of the dense MACs, scratch_b`."""
    share = budget_words(budget)
    return f"{share}, {matching}" if matching else share


def state(row: FrontierRow) -> str:
    """The progress of a study, with the caveat of masked networks."""
    return f"{row.state}; {MASKED}" if row.masked else row.state


def interval(low: float | None, high: float | None) -> str:
    """A simultaneous interval in points; `above 0` if it ends at zero and excludes zero."""
    start = "above 0" if low == OPEN else points(low)
    end = "below 0" if high == -OPEN else points(high)
    return f"simultaneous 95 % interval {start} to {end}"


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
    if any(verdict.arms[arm].pending for arm in arms):
        return _unfinished(plan, verdict)
    if verdict.verdict == "wins" and verdict.winner:
        return _wins(plan, verdict, [arm for arm in arms if arm != verdict.winner])
    if verdict.verdict == "equivalent":
        return _equivalent(plan, verdict, arms)
    return _undecided(verdict)


def _alone(verdict: Verdict, arms: Sequence[str]) -> str:
    if not arms:
        return "no arm can meet it"
    return f"only {arms[0]} can meet it" if len(verdict.arms) > 1 else f"{arms[0]} is the only arm"


def _wins(plan: Plan, verdict: Verdict, others: Sequence[str]) -> str:
    claim = f"{verdict.winner} beats {listing(others)}"
    if plan.replicates == 1:
        claim = f"The recipe found for {verdict.winner} beats that found for {listing(others)}"
    return (
        f"{claim}: {points(verdict.difference, signed=False)} points ahead of {verdict.runner_up} "
        f"({interval(verdict.low, verdict.high)}, corrected {p_value(verdict.p)})."
        f"{_scope(plan, verdict)}"
    )


def _scope(plan: Plan, verdict: Verdict) -> str:
    """A reservation if other test images could reverse the verdict."""
    mean = verdict.arms[verdict.winner or ""].mean or 0.0
    if abs(verdict.difference or 0.0) >= binomial_half_width(mean, plan.test_size):
        return ""
    return f" This holds for these {plan.test_size} test images; it may not hold for other images."


def _equivalent(plan: Plan, verdict: Verdict, arms: Sequence[str]) -> str:
    margin = points(plan.confirm.margin, signed=False)
    widest = max(max(abs(p.low or 0), abs(p.high or 0)) for p in verdict.pairs)
    return (
        f"{listing(arms)} are equivalent: any difference is below {margin} points, the margin "
        f"stated beforehand (the intervals reach {points(widest, signed=False)})."
    )


def _unfinished(plan: Plan, verdict: Verdict) -> str:
    planned = plan.confirm.seeds * plan.replicates
    pending = [f"{name} {arm.pending}" for name, arm in verdict.arms.items() if arm.pending]
    return (
        f"Not finished, so there is no verdict yet; of {planned} confirm seeds each, still to "
        f"come: {', '.join(pending)}."
    )


def _undecided(verdict: Verdict) -> str:
    undecided = [p for p in verdict.pairs if p.verdict == "undecided" and p.low is not None]
    parts = ["Undecided.", *(_open(p) for p in undecided if verdict.best in (p.a, p.b))]
    settled = [_settled(p) for p in verdict.pairs if p.verdict != "undecided"]
    if settled:
        parts.append(f"Settled: {listing(settled)}.")
    blocked = dict.fromkeys(p.reason for p in verdict.pairs if p.reason and p.low is None)
    if blocked:
        parts.append(f"Not compared: {'; '.join(blocked)}.")
    return " ".join(parts)


def _open(pair: Pair) -> str:
    ahead = points(pair.difference, signed=False)
    a, b = (pair.a, pair.b) if (pair.difference or 0) >= 0 else (pair.b, pair.a)
    if ahead == points(0.0, signed=False):
        claim, doubt = f"{pair.a} and {pair.b} are level", ""
    else:
        claim, doubt = f"{a} is {ahead} points ahead of {b}", ", which may be chance"
    if pair.reason:
        doubt = f", but {pair.reason}"
    corrected = f"{interval(pair.low, pair.high)}, corrected {p_value(pair.p)}"
    return f"{claim}{doubt} ({pair.a} minus {pair.b}: {corrected})."


def _settled(pair: Pair) -> str:
    if pair.verdict == "equivalent":
        return f"{pair.a} and {pair.b} are equivalent"
    loser = pair.b if pair.winner == pair.a else pair.a
    return f"{pair.winner} beats {loser} by {points(pair.difference, signed=False)} points"
