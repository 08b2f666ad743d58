"""Two arms compared: every member of the family, each with the interval its verdict stands on.

The family was written down before the first trial, and every member counts, whether it could be
judged or not. Holm's test decides who wins. The intervals are Bonferroni's, so they hold all at
once; where Holm's steps decide a sign that Bonferroni would leave open, the interval ends at zero,
without it (Guilbaud, Biometrical Journal 50, 2008): picture and verdict agree. Arms are equivalent
where the whole interval lies within the margin stated beforehand.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import Literal

from prunetune.analysis.evidence.confirmed import grain
from prunetune.analysis.evidence.samples import Contest, Sample
from prunetune.analysis.statistics import ALPHA, Contrast, holm, paired, welch
from prunetune.plan import Comparison, Plan
from prunetune.records.record import Frozen

Judgement = Literal["wins", "equivalent", "undecided"]
OPEN = 1e-9
"""Stands for an end at zero that excludes zero."""


class Pair(Frozen):
    """A comparison: a minus b, its simultaneous interval and its corrected p."""

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
    """Why it is undecided, where that is not for the interval."""


def compare(plan: Plan, cells: Sequence[Contest]) -> dict[Comparison, Pair]:
    """The whole family, judged."""
    samples = {member: _sides(member, cells) for member in plan.family}
    contrasts = {
        member: contrast(*sides, grain(plan))
        for member, sides in samples.items()
        if sides and not unready(*sides)
    }
    ps = [c.p if (c := contrasts.get(member)) else 1.0 for member in plan.family]
    corrected = dict(zip(plan.family, holm(ps), strict=True))
    found = {}
    for member, sides in samples.items():
        pair = Pair(a=member.a, b=member.b)
        measured = contrasts.get(member)
        if sides and measured:
            pair = decide(pair, measured, corrected[member], len(ps), plan.confirm.margin)
            found[member] = distrust(pair, sides)
        else:
            found[member] = _unjudged(pair, sides)
    return found


def contrast(a: Sample, b: Sample, step: float) -> Contrast | None:
    """a minus b: over common units where they share a block, else by Welch."""
    if a.block == b.block:
        common = sorted(a.values.keys() & b.values.keys())
        return paired([a.values[u] for u in common], [b.values[u] for u in common], step)
    return welch(list(a.values.values()), list(b.values.values()), step)


def decide(pair: Pair, measured: Contrast, p: float, family: int, margin: float) -> Pair:
    """The pair with its interval, and what that allows to say."""
    difference, half = measured.difference, measured.half_width(ALPHA / family)
    low, high = difference - half, difference + half
    if p <= ALPHA:
        low, high = (max(low, OPEN), high) if difference > 0 else (low, min(high, -OPEN))
    known: dict[str, object] = {"difference": difference, "low": low, "high": high, "p": p}
    known |= {"paired": measured.paired, "n": measured.n}
    if -margin < low and high < margin:
        known["verdict"] = "equivalent"
    elif p <= ALPHA:
        known |= {"verdict": "wins", "winner": pair.a if difference > 0 else pair.b}
    return pair.model_copy(update=known)


def distrust(pair: Pair, sides: tuple[Sample, Sample]) -> Pair:
    """No win and no equivalence for an arm that lost seeds by its own doing."""
    for sample in sides:
        if sample.flattered and (pair.winner == sample.arm or pair.verdict == "equivalent"):
            reason = f"{sample.arm} lost some by its own doing, and what is left flatters it"
            update = {"verdict": "undecided", "winner": None, "reason": reason}
            return pair.model_copy(update=update)
    return pair


def unready(*sides: Sample) -> str | None:
    """Why two arms cannot be judged (yet)."""
    return next((reason for side in sides for reason in _obstacles(side)), None)


def _obstacles(sample: Sample) -> Iterator[str]:
    if sample.infeasible:
        yield f"{sample.arm} cannot meet this budget"
    if sample.pending:
        yield f"{sample.arm} has {sample.pending} confirm seeds to come"
    if len(sample.values) < 2:
        yield f"{sample.arm} has too few values for an interval ({len(sample.values)})"


def _sides(member: Comparison, cells: Sequence[Contest]) -> tuple[Sample, Sample] | None:
    for cell in cells:
        here = cell.budget == member.budget and member.matching in (None, cell.matching)
        if here and {member.a, member.b} <= cell.samples.keys():
            return cell.samples[member.a], cell.samples[member.b]
    return None


def _unjudged(pair: Pair, sides: tuple[Sample, Sample] | None) -> Pair:
    if sides is None:
        return pair.model_copy(update={"reason": "not among the studies"})
    a, b = (side.values.values() for side in sides)
    difference = fmean(a) - fmean(b) if a and b else None
    reason = unready(*sides) or "fewer than two seeds in common"
    return pair.model_copy(update={"difference": difference, "reason": reason})
