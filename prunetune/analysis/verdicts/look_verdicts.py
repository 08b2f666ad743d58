"""Pairs judged at the looks of the plan: each at the first look that decides it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from prunetune.analysis.evidence.confirmed import grain
from prunetune.analysis.evidence.samples import Sample
from prunetune.analysis.verdicts.arm_pairs import Pair, unjudged_pair
from prunetune.analysis.verdicts.judged import Levels, judged
from prunetune.analysis.verdicts.measuring import Measuring, Sides
from prunetune.plan import Comparison
from prunetune.records.seeds import confirm_seed
from prunetune.registration import Look
from prunetune.statistics.sequential import LookState, after_looks


def look_pair(
    measuring: Measuring, member: Comparison, sides: Sides | None, looks: Sequence[Look]
) -> Pair:
    """The judgement of a member of the family at the looks that were taken."""
    if sides is None or any(side.infeasible for side in sides):
        return unjudged_pair(member, sides)
    state = state_of(measuring, sides, looks)
    if state.contrast is None:
        return unjudged_pair(member, sides)
    look = looks[state.taken - 1]
    if not state.decided and any(side.pending for side in sides):
        return unjudged_pair(member, sides).model_copy(update={"look": look.seeds})
    first = (_first(sides[0], look.seeds), _first(sides[1], look.seeds))
    levels = Levels(
        p=state.p,
        raw=state.contrast.p,
        interval=look.level,
        equivalence=look.level,
        margin=measuring.plan.confirm.margin,
    )
    fields = judged(measuring.measure(state.contrast, first), member.a, member.b, levels)
    return Pair(**fields, difference=state.contrast.difference, look=look.seeds)


def state_of(measuring: Measuring, sides: Sides, looks: Sequence[Look]) -> LookState:
    """The state of a pair after all looks that were taken of it."""
    ended = _ended(sides[0]) & _ended(sides[1])
    taken = sum(set(range(look.seeds)) <= ended for look in looks)
    a, b = (_by_position(side) for side in sides)
    planned = [(look.seeds, look.level) for look in looks]
    plan = measuring.plan
    return after_looks(a, b, planned, taken, plan.confirm.margin, grain(plan))


def _by_position(side: Sample) -> dict[int, float]:
    """Accuracy by the position of its seed. Looks are taken of single searches."""
    return {seed - confirm_seed(0, 0): value for seed, value in side.values.items()}


def _ended(side: Sample) -> set[int]:
    """Positions of the seeds that ended, one way or another."""
    lost = {loss.seed for confirmed in side.studies for loss in confirmed.lost}
    return {seed - confirm_seed(0, 0) for seed in side.values.keys() | lost}


def _first(side: Sample, seeds: int) -> Sample:
    """The sample without the seeds that came after a look."""
    last = confirm_seed(0, seeds)
    return replace(side, values={seed: v for seed, v in side.values.items() if seed < last})
