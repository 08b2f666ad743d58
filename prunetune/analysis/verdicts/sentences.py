"""What the figures allow to say, in sentences that claim no more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from prunetune.analysis.evidence.frontier import FrontierRow
from prunetune.analysis.statistics import binomial_half_width
from prunetune.analysis.verdicts.comparisons import OPEN, Pair
from prunetune.analysis.verdicts.verdict import Verdict
from prunetune.plan import MASKED, Plan, RecordedBudget

NOTHING = "\N{EN DASH}"
"""What stands where there is no figure."""


def percent(accuracy: float | None) -> str:
    """An accuracy as people read it: `93.12 %`."""
    return NOTHING if accuracy is None else f"{100 * accuracy:.2f} %"


def points(difference: float | None, signed: bool = True) -> str:
    """A difference of accuracies in percentage points, without the unit: `+0.62`."""
    if difference is None:
        return NOTHING
    text = f"{100 * difference:+.2f}" if signed else f"{100 * abs(difference):.2f}"
    return text.replace("-", "\N{MINUS SIGN}")


def count(value: float | None) -> str:
    """A large number with its unit: `31.3 M`."""
    if value is None:
        return NOTHING
    for size, unit in ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            digits = ".3g" if value < 999.5 * size else ".0f"
            return f"{value / size:{digits}} {unit}"
    return f"{value:.3g}"


def p_value(p: float | None) -> str:
    """A corrected p: `p = 0.012`, `p < 0.001`."""
    if p is None:
        return "no p"
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def contest_name(budget: RecordedBudget, matching: str | None) -> str:
    """A cell's name: `0.25 of the dense MACs, scratch_b`."""
    share = f"{budget:g} of the dense MACs" if isinstance(budget, float | int) else str(budget)
    return f"{share}, {matching}" if matching else share


def plural(number: int, noun: str) -> str:
    """`1 seed`, `2 seeds`, `2 searches`, `2 studies`."""
    if number == 1:
        return f"1 {noun}"
    if noun.endswith("y"):
        return f"{number} {noun[:-1]}ies"
    return f"{number} {noun}{'es' if noun.endswith('ch') else 's'}"


def listing(names: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def state(row: FrontierRow) -> str:
    """How far a study has come, with what must be said beside its MACs."""
    return f"{row.state}; {MASKED}" if row.masked else row.state


def interval(low: float | None, high: float | None) -> str:
    """A simultaneous interval in points; `above 0` where it ends at zero without it."""
    start = "above 0" if low == OPEN else points(low)
    end = "below 0" if high == -OPEN else points(high)
    return f"simultaneous 95 % interval {start} to {end}"


def sentence(plan: Plan, verdict: Verdict) -> str:
    """The verdict of one cell in words."""
    said = _verdict(plan, verdict)
    if masked := masked_arms(plan, verdict.arms):
        said += f" MACs of {listing(masked)} count the weights that are left: {MASKED}."
    return said


def masked_arms(plan: Plan, among: Iterable[str]) -> list[str]:
    """The arms whose networks keep the dense shape, some of their weights zero."""
    masked = {study.arm for study in plan.studies if study.masked}
    return [arm for arm in among if arm in masked]


def _verdict(plan: Plan, verdict: Verdict) -> str:
    arms = [name for name, arm in verdict.arms.items() if not arm.infeasible]
    if len(arms) < 2:
        who = f"only {arms[0]} is there" if arms else "no arm can meet it"
        return f"Nothing to compare at this budget: {who}."
    if any(verdict.arms[arm].pending for arm in arms):
        return _unfinished(plan, verdict)
    if verdict.verdict == "wins" and verdict.winner:
        return _wins(plan, verdict, [arm for arm in arms if arm != verdict.winner])
    if verdict.verdict == "equivalent":
        margin = points(plan.confirm.margin, signed=False)
        widest = max(max(abs(p.low or 0), abs(p.high or 0)) for p in verdict.pairs)
        return (
            f"{listing(arms)} are equivalent: whatever the difference, it is below {margin} "
            "points, the margin stated beforehand (intervals reach "
            f"{points(widest, signed=False)})."
        )
    return _undecided(verdict)


def _wins(plan: Plan, verdict: Verdict, others: Sequence[str]) -> str:
    who = f"{verdict.winner} beats {listing(others)}"
    if plan.replicates == 1:
        who = f"The recipe found for {verdict.winner} beats that found for {listing(others)}"
    return (
        f"{who}: {points(verdict.difference, signed=False)} points ahead of {verdict.runner_up} "
        f"({interval(verdict.low, verdict.high)}, corrected {p_value(verdict.p)})."
        f"{_scope(plan, verdict)}"
    )


def _scope(plan: Plan, verdict: Verdict) -> str:
    """A reservation where other test images could turn the answer round."""
    mean = verdict.arms[verdict.winner or ""].mean or 0.0
    if abs(verdict.difference or 0.0) >= binomial_half_width(mean, plan.test_size):
        return ""
    return f" That is so on these {plan.test_size} test images; on others it may not be."


def _unfinished(plan: Plan, verdict: Verdict) -> str:
    planned = plan.confirm.seeds * plan.replicates
    arms = verdict.arms.items()
    lacking = ", ".join(f"{name} {arm.pending}" for name, arm in arms if arm.pending)
    return (
        f"Not finished: of {planned} confirm seeds each, still to come: {lacking}. "
        "No verdict before."
    )


def _undecided(verdict: Verdict) -> str:
    open_ = [p for p in verdict.pairs if p.verdict == "undecided" and p.low is not None]
    said = ["Undecided.", *(_open(p) for p in open_ if verdict.best in (p.a, p.b))]
    settled = [_settled(p) for p in verdict.pairs if p.verdict != "undecided"]
    if settled:
        said.append(f"What is settled: {listing(settled)}.")
    blocked = dict.fromkeys(p.reason for p in verdict.pairs if p.reason and p.low is None)
    if blocked:
        said.append(f"Not compared: {'; '.join(blocked)}.")
    return " ".join(said)


def _open(pair: Pair) -> str:
    ahead = points(pair.difference, signed=False)
    a, b = (pair.a, pair.b) if (pair.difference or 0) >= 0 else (pair.b, pair.a)
    if ahead == points(0.0, signed=False):
        said, doubt = f"{pair.a} and {pair.b} are level", ""
    else:
        said, doubt = f"{a} is {ahead} points ahead of {b}", ", which may be chance"
    if pair.reason:
        doubt = f", but {pair.reason}"
    corrected = f"{interval(pair.low, pair.high)}, corrected {p_value(pair.p)}"
    return f"{said}{doubt} ({pair.a} minus {pair.b}: {corrected})."


def _settled(pair: Pair) -> str:
    if pair.verdict == "equivalent":
        return f"{pair.a} and {pair.b} are equivalent"
    loser = pair.b if pair.winner == pair.a else pair.a
    return f"{pair.winner} beats {loser} by {points(pair.difference, signed=False)} points"
