"""Comparisons of two arms: every member of the family, judged by its interval.

The family is written down before the first trial, and every member counts in the correction,
whether it can be judged or not. Holm's test decides who wins. The intervals are Bonferroni's, so
all of them hold at once. Where Holm's test finds a difference although Bonferroni's interval
contains zero, the interval is cut off at zero and excludes zero (Guilbaud, Biometrical Journal 50,
2008), so that picture and verdict agree. Two arms are equivalent if the whole interval lies within
the margin stated beforehand.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import Literal

from prunetune.analysis.evidence.confirmed import grain
from prunetune.analysis.evidence.samples import Contest, Sample
from prunetune.analysis.format import plural
from prunetune.plan import Comparison, Plan
from prunetune.records.record import Frozen
from prunetune.statistics.contrasts import Contrast, paired, welch
from prunetune.statistics.corrections import holm
from prunetune.statistics.intervals import ALPHA

Judgement = Literal["wins", "equivalent", "undecided"]
OPEN = 1e-9
"""An interval end that means "zero, excluded". It is not 0.0, so that `low > 0` or `high < 0` holds
for every win, and it is far below any difference of accuracies that can be measured."""


class Pair(Frozen):
    """A comparison: the difference a minus b, its simultaneous interval, its corrected p."""

    a: str
    b: str
    verdict: Judgement = "undecided"
    winner: str | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    paired: bool = False
    n: int = 0
    reason: str | None = None
    """Why the pair is undecided, if the reason is not its interval."""


def compare(plan: Plan, contests: Sequence[Contest]) -> dict[Comparison, Pair]:
    """Every member of the family with its judgement."""
    samples = {member: _sides(member, contests) for member in plan.family}
    contrasts = {
        member: contrast(*sides, grain(plan))
        for member, sides in samples.items()
        if sides and not unready(*sides)
    }
    ps = [c.p if (c := contrasts.get(member)) else 1.0 for member in plan.family]
    corrected = dict(zip(plan.family, holm(ps), strict=True))
    pairs = {}
    for member, sides in samples.items():
        pair = Pair(a=member.a, b=member.b)
        measured = contrasts.get(member)
        if sides and measured:
            pair = decide(pair, measured, corrected[member], len(ps), plan.confirm.margin)
            pairs[member] = distrust(pair, sides)
        else:
            pairs[member] = _unjudged(pair, sides)
    return pairs


def contrast(a: Sample, b: Sample, grain: float) -> Contrast | None:
    """a minus b: in pairs with the same seed if the arms share a block, else by Welch."""
    if a.block == b.block:
        common = sorted(a.values.keys() & b.values.keys())
        return paired([a.values[s] for s in common], [b.values[s] for s in common], grain)
    return welch(list(a.values.values()), list(b.values.values()), grain)


def decide(pair: Pair, measured: Contrast, p: float, family: int, margin: float) -> Pair:
    """The pair with its interval and its judgement."""
    difference, half = measured.difference, measured.half_width(ALPHA / family)
    low, high = difference - half, difference + half
    if p <= ALPHA:
        low, high = (max(low, OPEN), high) if difference > 0 else (low, min(high, -OPEN))
    update: dict[str, object] = {"difference": difference, "low": low, "high": high, "p": p}
    update |= {"paired": measured.paired, "n": measured.n}
    if -margin < low and high < margin:
        update["verdict"] = "equivalent"
    elif p <= ALPHA:
        update |= {"verdict": "wins", "winner": pair.a if difference > 0 else pair.b}
    return pair.model_copy(update=update)


def distrust(pair: Pair, sides: tuple[Sample, Sample]) -> Pair:
    """The pair; undecided if its winner, or an equivalent arm, lost runs by its own doing."""
    for sample in sides:
        if sample.flattered and (pair.winner == sample.arm or pair.verdict == "equivalent"):
            runs = "confirm runs" if len(sample.studies) == 1 else "searches or confirm runs"
            reason = (
                f"some {runs} of {sample.arm} diverged or were infeasible, so the remaining ones "
                "overstate its accuracy"
            )
            update = {"verdict": "undecided", "winner": None, "reason": reason}
            return pair.model_copy(update=update)
    return pair


def unready(*sides: Sample) -> str | None:
    """Why two arms cannot be judged, or not yet; None if they can."""
    return next((reason for side in sides for reason in _obstacles(side)), None)


def _obstacles(sample: Sample) -> Iterator[str]:
    if sample.infeasible:
        yield f"{sample.arm} cannot meet this budget"
    if sample.pending:
        yield f"{sample.arm} still has {plural(sample.pending, 'confirm run')} to come"
    if len(sample.values) < 2:
        yield f"{sample.arm} has too few values for an interval (n = {len(sample.values)})"


def belongs(member: Comparison, contest: Contest) -> bool:
    """Whether a member of the family is decided in this contest."""
    same = contest.budget == member.budget and member.matching in (None, contest.matching)
    return same and {member.a, member.b} <= contest.samples.keys()


def _sides(member: Comparison, contests: Sequence[Contest]) -> tuple[Sample, Sample] | None:
    for contest in contests:
        if belongs(member, contest):
            return contest.samples[member.a], contest.samples[member.b]
    return None


def _unjudged(pair: Pair, sides: tuple[Sample, Sample] | None) -> Pair:
    if sides is None:
        return pair.model_copy(update={"reason": "the sweep has no such studies"})
    a, b = (side.values.values() for side in sides)
    difference = fmean(a) - fmean(b) if a and b else None
    reason = unready(*sides) or "the two arms have fewer than two seeds in common"
    return pair.model_copy(update={"difference": difference, "reason": reason})
