"""Rounds of pruning: what is left of a dense network, and the units that go next.

All is counted in the dense network's own groups and units, however often it was cut between, so
that shares, floors and costs mean the same in every round.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from prunetune.compress.budget.costs import CostPoint, CostTable
from prunetune.compress.budget.ranking import (
    Scores,
    Step,
    macs_saved_per_unit,
    ranking,
    rule_of,
    weigh_costs,
)
from prunetune.compress.budget.select import REPAIRS, Repair, select
from prunetune.compress.criterion import Criterion, Scene
from prunetune.compress.graph.groups import Group, prunable_groups
from prunetune.compress.method import Context, Infeasible, Target
from prunetune.compress.methods.channel_pruning.params import ChannelPruningParams
from prunetune.compress.network.cut import other_units
from prunetune.compress.network.remove_blocks import removable
from prunetune.records.architecture import Architecture
from prunetune.registry import criteria

Goal = Callable[[Sequence[Step], CostTable], int]
"""The MACs to come down to, given the ranking and the costs as they are."""


class PruningState:
    """The units of a dense network that are left.

    Raises:
        ValueError: the parameters do not apply to this network at all.
    """

    def __init__(
        self, params: ChannelPruningParams, model: nn.Module, architecture: Architecture
    ) -> None:
        self.params = params
        self.criterion: Criterion = criteria.make(params.criterion)
        groups, self.groups = self._found(model, architecture)
        self.unscored = [group.name for group in groups if group not in self.groups]
        """Groups that stay whole, the criterion being undefined for them."""
        self.costs = CostTable.measure(model, architecture.input_shape, self.groups)
        """Of the dense network."""
        self.branches = {} if params.floor else removable(architecture, self.groups)
        """Group -> the layers of the residual branch that goes with its last unit."""
        self.rule = rule_of(
            params.scope, model, self.groups, params.floor, self.branches, params.ratios
        )
        self.kept = [list(range(group.width)) for group in self.groups]
        """Of each group, ascending."""
        self.repair: Repair = "none"
        self.departures = 0
        """How the last round departed from its ranking."""

    @property
    def widths(self) -> tuple[int, ...]:
        """How many units of each group are left."""
        return tuple(len(units) for units in self.kept)

    @property
    def macs(self) -> int:
        """MACs of the network of what is left."""
        return self.costs.macs(self.widths)

    @property
    def removed(self) -> list[list[int]]:
        """The units of each group that are gone."""
        return other_units(self.groups, self.kept)

    @cached_property
    def smallest_macs(self) -> int:
        """The fewest MACs that floors and rates allow."""
        bounds = zip(self.rule.floors, self.rule.rates, self.costs.widths, strict=True)
        return self.costs.macs([floor if rate else width for floor, rate, width in bounds])

    def channels(self) -> dict[str, list[int]]:
        """The output channels of each group's first layer that are left."""
        pairs = zip(self.groups, self.kept, strict=True)
        return {group.name: group.channels(units) for group, units in pairs}

    def check(self, target: Target) -> None:
        """Infeasible if no scores whatever could meet the target."""
        if self.smallest_macs > target.macs:
            raise Infeasible.too_large(self.smallest_macs, target.macs)

    def shrink(
        self, model: nn.Module, architecture: Architecture, goal: Goal, context: Context
    ) -> tuple[Scene, list[Sequence[int]]]:
        """Score `model`, the network of what is left, and let its worst units go.

        Returns what was scored, and the units that went as the scene's groups number them.
        """
        scene, numbers = self._scene(model, architecture, context)
        scores: list[Scores] = [np.empty(0)] * len(self.groups)
        with context.scoring():
            for number, score in zip(numbers, self._score(scene), strict=True):
                scores[number] = score
        removed = self.remove(scores, goal, context.target)
        return scene, [removed[number] for number in numbers]

    def remove(
        self, scores: Sequence[Scores], goal: Goal, target: Target
    ) -> tuple[tuple[int, ...], ...]:
        """Let the worst units go; `scores` are of the units that are left of each group.

        Returns their places among these.
        """
        steps, costs = self.steps(scores)
        selection = select(steps, costs, goal(steps, costs), target.lowest)
        for units, gone in zip(self.kept, selection.removed, strict=True):
            for place in reversed(gone):
                del units[place]
        self.repair, self.departures = selection.repair, selection.n_departures
        return selection.removed

    def steps(self, scores: Sequence[Scores]) -> tuple[list[Step], CostTable]:
        """The ranking of the units that are left, and the costs of the network they make."""
        costs = replace(self.costs, widths=self.widths)
        how, weight = self.params.cost_aware, self.params.cost_weight
        return ranking(
            weigh_costs(scores, macs_saved_per_unit(costs), how, weight), self.rule
        ), costs

    def state_dict(self) -> dict[str, Tensor]:
        """What is left, as tensors."""
        kept = zip(self.groups, self.kept, strict=True)
        last = [REPAIRS.index(self.repair), self.departures]
        return {
            **{f"kept/{g.name}": torch.tensor(u, dtype=torch.int64) for g, u in kept},
            "departures": torch.tensor(last),
        }

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state_dict` gave."""
        self.kept = [state[f"kept/{group.name}"].tolist() for group in self.groups]
        repair, self.departures = state["departures"].tolist()
        self.repair = REPAIRS[repair]

    def _scene(
        self, model: nn.Module, architecture: Architecture, context: Context
    ) -> tuple[Scene, list[int]]:
        """What the criterion looks at, and which of our groups its groups are."""
        own = {m.layer: i for i, g in enumerate(self.groups) for m in g.writers}
        found = [g for g in self._found(model, architecture)[1] if g.name in own]
        scene = Scene(
            model,
            architecture.input_shape,
            found,
            context.generator,
            context.batches,
            context.charge,
        )
        return scene, [own[group.name] for group in found]

    def _score(self, scene: Scene) -> Iterator[Scores]:
        for group, score in zip(scene.groups, self.criterion.score(scene), strict=True):
            if not score.isfinite().all():
                raise ValueError(
                    f"criterion {self.params.criterion.name!r}: the scores of group "
                    f"{group.name} are not finite; are the dense weights?"
                )
            yield score.numpy()

    def _found(
        self, model: nn.Module, architecture: Architecture
    ) -> tuple[tuple[Group, ...], list[Group]]:
        """The groups that may lose channels, and those of them that the criterion can score."""
        groups = prunable_groups(model, architecture)
        scored = [group for group in groups if self.criterion.applies(model, group)]
        if not scored:
            name = self.params.criterion.name
            raise ValueError(
                f"criterion {name!r} is defined for none of the {len(groups)} prunable groups of "
                f"{architecture.model}; choose another criterion"
            )
        return groups, scored


def down_to(macs: int) -> Goal:
    """The goal of coming down to so many MACs."""
    return lambda steps, costs: macs


def worst(units: int, target: Target) -> Goal:
    """The goal of removing so many units, or fewer where the target is met before."""

    def goal(steps: Sequence[Step], costs: CostTable) -> int:
        point = CostPoint(costs, costs.widths)
        for step in steps[:units]:
            point.move(step.group, -1)
        return max(target.macs, point.macs)

    return goal


def goals(params: ChannelPruningParams, target: Target) -> list[int]:
    """The MACs at the end of each round of `steps`; the last are the target's."""
    spread = target.dense_macs - target.macs
    ratio = target.macs / target.dense_macs

    def after(share: float) -> float:
        if params.schedule == "linear":
            return target.dense_macs - spread * share
        if params.schedule == "cubic":  # Zhu and Gupta, 1710.01878
            return target.macs + spread * (1 - share) ** 3
        return target.dense_macs * float(ratio**share)

    shares = (done / params.steps for done in range(1, params.steps))
    return [*(max(target.macs, int(after(share))) for share in shares), target.macs]
