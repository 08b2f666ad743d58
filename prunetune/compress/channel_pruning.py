"""Channel pruning: the least important coupled channels go until the budget holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import nn

from prunetune.compress.criterion import Criterion, Scene
from prunetune.compress.groups import Group, find_groups
from prunetune.compress.macs import CostTable
from prunetune.compress.method import CompactModel, Context, Infeasible, Target
from prunetune.compress.reach import Reach
from prunetune.compress.rebuild import layer_widths, skeleton
from prunetune.compress.select import Scope, Selection, Step, floors_of, ranking, select
from prunetune.compress.surgery import cut, kept_channels
from prunetune.records.architecture import Architecture
from prunetune.registry import criteria, methods, models
from prunetune.spec.parts import Kind, Named, Params

TRIES = 3
"""Draws of random scores before `reach` calls a budget out of reach."""


class ChannelPruningParams(Params):
    """Parameters of `channel_pruning`."""

    criterion: Annotated[Named, Kind("criteria")] = Named(name="magnitude")
    scope: Annotated[
        Scope,
        Field(
            description="local: the same share of every group; global: one ranking over all groups;"
            " protected_global: so, but a group keeps at least the share `floor`"
        ),
    ] = "protected_global"
    floor: Annotated[float, Field(gt=0, lt=1, description="for protected_global")] = 0.1
    steps: Annotated[int, Field(ge=1, description="rounds, scored anew after each")] = 1
    recalibrate: Annotated[
        int, Field(ge=0, description="images for measuring batch norm statistics anew; 0: none")
    ] = 1024


@methods.register("channel_pruning", params=ChannelPruningParams)
class ChannelPruning:
    """Remove the coupled channels that the criterion scores lowest; keep the other weights."""

    inherits: ClassVar[bool] = True
    takes_architecture: ClassVar[bool] = False

    def __init__(self, params: ChannelPruningParams) -> None:
        self.params = params
        entry = criteria.get(params.criterion.name)
        self.criterion: Criterion = entry.part(entry.params.model_validate(params.criterion.params))

    def run(self, context: Context) -> CompactModel:
        """The dense network without the channels that go; Infeasible if the target is missed."""
        assert context.dense is not None, "channel_pruning needs the dense network"
        architecture, model = context.architecture, context.dense
        groups = self._groups(model, architecture)
        dense_widths = {group.name: group.width for group in groups}
        kept = kept_channels(groups, [()] * len(groups))
        for goal in self._goals(context.target):
            if model is not context.dense:
                groups = [g for g in self._groups(model, architecture) if g.name in dense_widths]
            steps, costs = self._ranking(model, groups, dense_widths, context)
            selection = select(steps, costs, goal, context.target.lowest)
            model = cut(model, architecture.input_shape, groups, selection.removed)
            for name, channels in kept_channels(groups, selection.removed).items():
                kept[name] = [kept[name][i] for i in channels]
        if context.recalibrate is not None and self.params.recalibrate:
            context.recalibrate(model, self.params.recalibrate)
        found = architecture.model_copy(update={"layers": layer_widths(model)})
        return CompactModel(model, found, selection.macs, kept, departures=_departures(selection))

    def reach(self, architecture: Architecture, targets: Sequence[Target]) -> tuple[Reach, ...]:
        """What can be met; see `prunetune.compress.reach.reach`."""
        with torch.device("meta"):
            model = skeleton(architecture)
        groups = self._groups(model, architecture)
        costs = CostTable.measure(model, architecture.input_shape, groups)
        floors = floors_of(self.params.scope, costs.widths, self.params.floor)
        smallest = costs.macs(floors)
        return tuple(self._try(costs, floors, target, smallest) for target in targets)

    def _groups(self, model: nn.Module, architecture: Architecture) -> list[Group]:
        """The groups that may lose channels and that the criterion can score."""
        ignored = models.get(architecture.model).part.ignored_layers(model)
        groups = find_groups(model, architecture.input_shape, ignored)
        scored = [group for group in groups if self.criterion.applies(model, group)]
        if not scored:
            name = self.params.criterion.name
            raise ValueError(
                f"criterion {name!r} is defined for none of the {len(groups)} prunable groups of "
                f"{architecture.model}; choose another criterion"
            )
        return scored

    def _goals(self, target: Target) -> Iterator[int]:
        """MACs to reach in each round; every round takes the same share of what is left."""
        for done in range(1, self.params.steps):
            share = (target.macs / target.dense_macs) ** (done / self.params.steps)
            yield max(target.macs, int(target.dense_macs * share))
        yield target.macs

    def _ranking(
        self,
        model: nn.Module,
        groups: Sequence[Group],
        dense_widths: Mapping[str, int],
        context: Context,
    ) -> tuple[list[Step], CostTable]:
        """The removable units, worst first, and what they cost."""
        scene = Scene(
            model,
            context.architecture.input_shape,
            groups,
            context.generator,
            context.batches,
            context.book,
        )
        scores = self.criterion.score(scene)
        for group, score in zip(groups, scores, strict=True):
            if not score.isfinite().all():
                raise ValueError(
                    f"criterion {self.params.criterion.name!r}: the scores of group "
                    f"{group.name} are not finite; are the dense weights?"
                )
        dense = [dense_widths[group.name] for group in groups]
        floors = floors_of(self.params.scope, dense, self.params.floor)
        steps = ranking([score.numpy() for score in scores], self.params.scope, floors, dense)
        return steps, CostTable.measure(model, context.architecture.input_shape, groups)

    def _try(self, costs: CostTable, floors: Sequence[int], target: Target, smallest: int) -> Reach:
        """Whether random scores meet the target; for `local` any scores give the same widths."""
        missed: list[Infeasible] = []
        for seed in range(1 if self.params.scope == "local" else TRIES):
            generator = np.random.default_rng(seed)
            scores = [generator.random(width) for width in costs.widths]
            steps = ranking(scores, self.params.scope, floors, costs.widths)
            try:
                found = select(steps, costs, target.macs, target.lowest)
            except Infeasible as miss:
                missed.append(miss)
            else:
                return Reach(smallest, found.macs, within=True)
        nearest = min(missed, key=lambda miss: abs(miss.nearest_macs - target.macs))
        return Reach(smallest, nearest.nearest_macs, within=False, reason=str(nearest))


def _departures(selection: Selection) -> dict[str, int | str]:
    """How the last round departs from the ranking, as the record has it."""
    if selection.repair == "none":
        return {}
    return {"repair": selection.repair, "channels": selection.departures}
