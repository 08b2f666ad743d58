"""The state of pruning: the units of a dense network that are kept so far.

Units are always numbered as in the dense network, however often it was cut in between. So shares,
floors and costs mean the same in every round.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from prunetune.compress.budget.costs import CostTable
from prunetune.compress.budget.ranking import (
    Scores,
    Step,
    macs_saved_per_unit,
    ranking,
    rule_of,
    weigh_costs,
)
from prunetune.compress.budget.rounding import multiples_of, select_rounded
from prunetune.compress.budget.select import REPAIRS, Repair, Selection, select
from prunetune.compress.criterion import Criterion, Scene
from prunetune.compress.graph.groups import Group
from prunetune.compress.method import Context, Infeasible, Target
from prunetune.compress.methods.channel_pruning.params import ChannelPruningParams
from prunetune.compress.methods.channel_pruning.rounds import Goal
from prunetune.compress.network.cut import other_units
from prunetune.compress.network.remaining import has_all_layers, remaining_groups
from prunetune.compress.network.remove_blocks import removable
from prunetune.compress.proof.proved_groups import prunable_groups
from prunetune.records.architecture import Architecture
from prunetune.registry import criteria


class PruningState:
    """The kept units of each group of a dense network; `shrink` removes units.

    Raises:
        ValueError: the parameters do not apply to this network at all.
    """

    def __init__(
        self, params: ChannelPruningParams, model: nn.Module, architecture: Architecture
    ) -> None:
        self.params = params
        self.criterion: Criterion = criteria.make(params.criterion)
        groups, self.groups = self._groups(model, architecture)
        self.unscored = [group.name for group in groups if group not in self.groups]
        """Groups that stay whole because the criterion is not defined for them."""
        self.costs = CostTable.measure(model, architecture.input_shape, self.groups)
        """The costs of the dense network."""
        self.branches = {} if params.floor else removable(architecture, self.groups)
        """Group number -> the layers of the residual branch that is removed with its last unit."""
        self.rule = rule_of(
            params.scope, model, self.groups, params.floor, self.branches, params.ratios
        )
        self.kept = [list(range(group.width)) for group in self.groups]
        """The kept units of each group, ascending."""
        self.repair: Repair = "none"
        """The repair of the last round."""
        self.n_departures = 0
        """By how much the last round departed from its ranking; see `Selection`."""

    @property
    def widths(self) -> tuple[int, ...]:
        """The number of kept units of each group."""
        return tuple(len(units) for units in self.kept)

    @property
    def macs(self) -> int:
        """The MACs of the network of the kept units."""
        return self.costs.macs(self.widths)

    @property
    def removed(self) -> list[list[int]]:
        """The removed units of each group, ascending."""
        return other_units(self.groups, self.kept)

    @cached_property
    def smallest_macs(self) -> int:
        """The fewest MACs that floors and rates allow."""
        bounds = zip(self.rule.floors, self.rule.rates, self.costs.widths, strict=True)
        return self.costs.macs([floor if rate else width for floor, rate, width in bounds])

    def channels(self) -> dict[str, list[int]]:
        """The first layer of each group -> its kept output channels."""
        pairs = zip(self.groups, self.kept, strict=True)
        return {group.name: group.channels(units) for group, units in pairs}

    def check(self, target: Target) -> None:
        """Check that some scores could meet the target.

        Raises:
            Infeasible: floors and rates keep too many units, whatever the scores.
        """
        if self.smallest_macs > target.macs:
            raise Infeasible.too_large(self.smallest_macs, target.macs)

    def shrink(
        self, model: nn.Module, architecture: Architecture, goal: Goal, context: Context
    ) -> tuple[Scene, list[Sequence[int]]]:
        """Score `model`, the network of the kept units, and remove its worst units.

        Returns the scene that was scored, and for each of its groups the units that were removed,
        numbered as in `model`.
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
        """Remove the worst units; `scores` has the kept units of each group.

        Returns the places of the removed units among the kept ones.
        """
        steps, costs = self.steps(scores)
        selection = self.select(steps, costs, goal(steps, costs), target.lowest)
        for units, places in zip(self.kept, selection.removed, strict=True):
            for place in reversed(places):
                del units[place]
        self.repair, self.n_departures = selection.repair, selection.n_departures
        return selection.removed

    def steps(self, scores: Sequence[Scores]) -> tuple[list[Step], CostTable]:
        """The ranking of the kept units, and the costs of the network that they make up."""
        costs = replace(self.costs, widths=self.widths)
        how, weight = self.params.cost_aware, self.params.cost_weight
        weighed = weigh_costs(scores, macs_saved_per_unit(costs), how, weight)
        return ranking(weighed, self.rule), costs

    def select(
        self, steps: Sequence[Step], costs: CostTable, at_most: int, at_least: float
    ) -> Selection:
        """The units to remove; widths are rounded if `round_to` asks for that.

        Raises:
            Infeasible: see `prunetune.compress.budget.select.select`.
        """
        if self.params.round_to == 1:
            return select(steps, costs, at_most, at_least)
        multiples = multiples_of(self.params.round_to, self.groups)
        return select_rounded(steps, costs, multiples, at_most, at_least)

    def state_dict(self) -> dict[str, Tensor]:
        """The kept units and the last round's repair, as tensors."""
        kept = zip(self.groups, self.kept, strict=True)
        repair = [REPAIRS.index(self.repair), self.n_departures]
        return {
            **{f"kept/{g.name}": torch.tensor(u, dtype=torch.int64) for g, u in kept},
            "departures": torch.tensor(repair),
        }

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Restore the result of `state_dict`."""
        self.kept = [state[f"kept/{group.name}"].tolist() for group in self.groups]
        repair, self.n_departures = state["departures"].tolist()
        self.repair = REPAIRS[repair]

    def _scene(
        self, model: nn.Module, architecture: Architecture, context: Context
    ) -> tuple[Scene, list[int]]:
        """The scene of the network of the kept units, and the number of each of its groups."""
        if has_all_layers(model, self.groups):
            left = enumerate(remaining_groups(self.groups, self.kept))
            numbered = [(number, group) for number, group in left if group is not None]
        else:
            writers = {m.layer: i for i, g in enumerate(self.groups) for m in g.writers}
            traced = self._groups(model, architecture)[1]
            numbered = [(writers[g.name], g) for g in traced if g.name in writers]
        groups = [group for _, group in numbered]
        scene = Scene(
            model,
            architecture.input_shape,
            groups,
            context.generator,
            context.batches,
            context.charge,
        )
        return scene, [number for number, _ in numbered]

    def _score(self, scene: Scene) -> Iterator[Scores]:
        """The scores of each group; ValueError if one of them is not finite."""
        for group, score in zip(scene.groups, self.criterion.score(scene), strict=True):
            if not score.isfinite().all():
                raise ValueError(
                    f"criterion {self.params.criterion.name!r}: the scores of group "
                    f"{group.name} are not finite; are the dense weights?"
                )
            yield score.numpy()

    def _groups(
        self, model: nn.Module, architecture: Architecture
    ) -> tuple[tuple[Group, ...], list[Group]]:
        """All groups that may lose channels, and those of them that the criterion can score."""
        groups = prunable_groups(model, architecture)
        scored = [group for group in groups if self.criterion.applies(model, group)]
        if not scored:
            name = self.params.criterion.name
            raise ValueError(
                f"criterion {name!r} is defined for none of the {len(groups)} prunable groups of "
                f"{architecture.model}; choose another criterion"
            )
        return groups, scored
