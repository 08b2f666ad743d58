"""Verdicts: which arm is better at a budget, by how much, and how certain that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean, median
from typing import Literal

from prunetune.analysis.evidence.confirmed import Loss, grain
from prunetune.analysis.evidence.samples import Contest, Sample
from prunetune.analysis.verdicts.comparisons import Judgement, Pair, belongs, compare
from prunetune.config.budget import RecordedBudget
from prunetune.plan import Comparison, Plan
from prunetune.records.record import Frozen
from prunetune.statistics.intervals import Estimate, mean_interval


class ArmResult(Estimate):
    """One arm in one contest: mean test accuracy with its own 95 % t interval."""

    macs: float | None = None
    median: float | None = None
    unit: Literal["confirm seed", "search"] = "confirm seed"
    """The independent results that `n` counts."""
    pending: int = 0
    lost: tuple[Loss, ...] = ()
    infeasible: str | None = None


class Verdict(Frozen):
    """The conclusion at one budget under one matching.

    `difference`, with its simultaneous interval and p, is that of the winner minus the runner-up.
    Without a winner, it is that of the best mean minus the runner-up.
    """

    budget: RecordedBudget
    matching: str | None
    arms: dict[str, ArmResult]
    pairs: tuple[Pair, ...] = ()
    verdict: Judgement = "undecided"
    winner: str | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    best: str | None = None
    runner_up: str | None = None


def verdicts(plan: Plan, contests: Sequence[Contest]) -> tuple[Verdict, ...]:
    """The verdict of every contest, corrected over the family of the plan."""
    judged = compare(plan, contests)
    return tuple(_verdict(plan, contest, judged) for contest in contests)


def conclude(pairs: Sequence[Pair], arms: Sequence[str]) -> tuple[Judgement, str | None]:
    """An arm wins if it beats every other; arms are equivalent if all pairs are; else undecided."""
    judged = [pair for pair in pairs if pair.a in arms and pair.b in arms]
    if not judged or len(judged) < len(arms) * (len(arms) - 1) // 2:
        return "undecided", None
    for arm in arms:
        if sum(pair.winner == arm for pair in judged) == len(arms) - 1:
            return "wins", arm
    if all(pair.verdict == "equivalent" for pair in judged):
        return "equivalent", None
    return "undecided", None


def arm_result(plan: Plan, sample: Sample) -> ArmResult:
    """The results of the arm without regard to the others."""
    values = list(sample.values.values())
    macs = [c.macs for c in sample.studies if c.macs]
    return ArmResult(
        **mean_interval(values, grain(plan)).model_dump(),
        macs=fmean(macs) if macs else None,
        median=median(values) if values else None,
        unit="search" if plan.replicates > 1 else "confirm seed",
        pending=sample.pending,
        lost=tuple(loss for c in sample.studies for loss in c.lost),
        infeasible=sample.infeasible,
    )


def _verdict(plan: Plan, contest: Contest, judged: Mapping[Comparison, Pair]) -> Verdict:
    pairs = tuple(pair for member, pair in judged.items() if belongs(member, contest))
    arms = {name: arm_result(plan, sample) for name, sample in contest.samples.items()}
    feasible = [arm for arm, sample in contest.samples.items() if not sample.infeasible]
    judgement, winner = conclude(pairs, feasible)
    ranked = sorted((a for a in arms if arms[a].n), key=lambda a: -(arms[a].mean or 0.0))
    best = winner or next(iter(ranked), None)
    second = next((arm for arm in ranked if arm != best), None)
    verdict = Verdict(
        budget=contest.budget,
        matching=contest.matching,
        arms=arms,
        pairs=pairs,
        verdict=judgement,
        winner=winner,
        best=best,
        runner_up=second,
    )
    return verdict.model_copy(update=_lead(pairs, best, second))


def _lead(pairs: Sequence[Pair], best: str | None, second: str | None) -> dict[str, float | None]:
    """Difference, interval and p of the two best arms, as best minus runner-up."""
    pair = next((pair for pair in pairs if {pair.a, pair.b} == {best, second}), None)
    if pair is None:
        return {}
    if pair.a == best:
        return {name: getattr(pair, name) for name in ("difference", "low", "high", "p")}
    minus = {name: getattr(pair, name) for name in ("difference", "low", "high")}
    minus = {name: None if value is None else -value for name, value in minus.items()}
    return {**minus, "low": minus["high"], "high": minus["low"], "p": pair.p}
