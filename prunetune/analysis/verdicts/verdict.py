"""Verdicts: which arm is better at a budget, by how much, and how certain that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean, median
from typing import Any, Literal

from prunetune.analysis.evidence.confirmed import Loss, grain
from prunetune.analysis.evidence.samples import Contest, Sample
from prunetune.analysis.verdicts.arm_pairs import Pair
from prunetune.analysis.verdicts.claims import Claim
from prunetune.analysis.verdicts.comparisons import belongs
from prunetune.analysis.verdicts.judged import Judged, Judgement, Unit
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
    Without a winner, it is that of the best mean minus the runner-up. Every difference is that of
    the means in `arms`.
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
    new_low: float | None = None
    """Ends of its simultaneous interval on new test images; None where outputs are not kept."""
    new_high: float | None = None
    claim: Claim = Claim(subject="found")
    """What the verdict may be said of: the weakest claim of its pairs."""
    shift: float | None = None
    """The smallest shift of one arm, all else equal, that changes the verdict."""
    decides_at: int | None = None
    """Values an arm, in `unit`, that would decide; see `Judged.decides_at`."""
    unit: Unit = "confirm seed"
    best: str | None = None
    runner_up: str | None = None


def verdicts(
    plan: Plan, contests: Sequence[Contest], judged: Mapping[Comparison, Pair]
) -> tuple[Verdict, ...]:
    """The verdict of every contest, from the judgements of the plan's family."""
    return tuple(_verdict(plan, contest, judged) for contest in contests)


def conclude(pairs: Sequence[Pair], arms: Sequence[str]) -> tuple[Judgement, str | None]:
    """An arm wins if it beats every other; arms are equivalent if all pairs are; else undecided.

    A control can win although the other arms are not compared with each other.
    """
    judged = [pair for pair in pairs if pair.a in arms and pair.b in arms]
    if not judged:
        return "undecided", None
    for arm in arms:
        if sum(pair.winner == arm for pair in judged) == len(arms) - 1:
            return "wins", arm
    all_judged = len(judged) == len(arms) * (len(arms) - 1) // 2
    if all_judged and all(pair.verdict == "equivalent" for pair in judged):
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
    judged_pairs = [pair for pair in pairs if pair.low is not None]
    return verdict.model_copy(
        update={
            **_lead(pairs, best, second),
            "claim": weakest_claim(judged_pairs),
            **_changes(pairs, judgement, best),
        }
    )


def _lead(pairs: Sequence[Pair], best: str | None, second: str | None) -> dict[str, float | None]:
    """Difference, interval and p of the two best arms, as best minus runner-up."""
    pair = next((pair for pair in pairs if {pair.a, pair.b} == {best, second}), None)
    if pair is None:
        return {}
    ends = ("low", "high", "new_low", "new_high")
    lead = {name: getattr(pair, name) for name in ("difference", *ends)}
    if pair.a != best:
        minus = {name: None if value is None else -value for name, value in lead.items()}
        swapped = ("high", "low", "new_high", "new_low")
        lead = {**minus, **{name: minus[other] for name, other in zip(ends, swapped, strict=True)}}
    return {**lead, "p": pair.p}


def weakest_claim(judged: Sequence[Judged]) -> Claim:
    """What may be said of several comparisons at once."""
    subjects = {each.subject for each in judged}
    dense = [each.dense_networks for each in judged if each.dense_networks is not None]
    subject = subjects.pop() if len(subjects) == 1 else "found"
    return Claim(subject=subject, dense_networks=min(dense, default=None))


def _changes(pairs: Sequence[Pair], judgement: Judgement, best: str | None) -> dict[str, Any]:
    """What would change the verdict, over the pairs that it rests on."""
    resting = [p for p in pairs if judgement == "equivalent" or best in (p.a, p.b)]
    units = {"unit": next((p.unit for p in resting), "confirm seed")}
    if judgement != "undecided":
        shifts = [p.shift for p in resting if p.shift is not None]
        return {"shift": min(shifts, default=None), **units}
    open_pairs = [p for p in resting if p.verdict == "undecided"]
    needed = [p.decides_at for p in open_pairs]
    known = [p.shift for p in open_pairs if p.shift is not None]
    return {
        "shift": max(known, default=None) if len(known) == len(open_pairs) else None,
        "decides_at": None if None in needed else max((n for n in needed if n), default=None),
        **units,
    }
