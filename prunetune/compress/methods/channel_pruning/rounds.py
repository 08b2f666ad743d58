"""How far each round of pruning goes, and when it takes place in a training."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from prunetune.compress.budget.costs import CostPoint, CostTable
from prunetune.compress.budget.ranking import Step
from prunetune.compress.method import Target
from prunetune.compress.methods.channel_pruning.params import ChannelPruningParams

Goal = Callable[[Sequence[Step], CostTable], int]
"""The goal of a round: from the current ranking and costs to the MACs to come down to."""
Timetable = Callable[[int], Goal | None]
"""From the number of optimizer steps so far to the goal of the round that is due, if any."""


def down_to(macs: int) -> Goal:
    """The goal of coming down to `macs`."""
    return lambda steps, costs: macs


def fewer_units(count: int, target: Target) -> Goal:
    """The goal of removing `count` units, or fewer if the target is met before."""

    def goal(steps: Sequence[Step], costs: CostTable) -> int:
        point = CostPoint(costs, costs.widths)
        for step in steps[:count]:
            point.move(step.group, -1)
        return max(target.macs, point.macs)

    return goal


def macs_by_round(params: ChannelPruningParams, target: Target) -> list[int]:
    """The MACs at the end of each round of `steps`; the last are the target's."""
    excess = target.dense_macs - target.macs
    ratio = target.macs / target.dense_macs

    def after(share: float) -> float:
        if params.schedule == "linear":
            return target.dense_macs - excess * share
        if params.schedule == "cubic":  # Zhu and Gupta, 1710.01878
            return target.macs + excess * (1 - share) ** 3
        return target.dense_macs * float(ratio**share)

    shares = (done / params.steps for done in range(1, params.steps))
    return [*(max(target.macs, int(after(share))) for share in shares), target.macs]


def timetable(params: ChannelPruningParams, target: Target, length: int) -> Timetable:
    """The rounds of a training of `length` optimizer steps; the last one meets the target."""
    gradual = params.gradual
    assert gradual is not None
    if gradual.every is None:
        numbered = enumerate(macs_by_round(params, target), 1)
        rounds = {round(length * i / params.steps): down_to(macs) for i, macs in numbered}
        return rounds.get
    every, regular, last = gradual.every, fewer_units(gradual.units, target), down_to(target.macs)
    return lambda done: last if done == length else None if done % every else regular
