"""A control: the channels that stay are the first ones, whatever their weights."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

import torch

from prunetune.compress.budget.costs import CostTable
from prunetune.compress.budget.ranking import Step
from prunetune.compress.budget.select import select
from prunetune.compress.graph.groups import prunable_groups
from prunetune.compress.method import CompactModel, Context, Target, try_to_reach
from prunetune.compress.network.cut import cut, kept_channels
from prunetune.compress.network.rebuild import family_network, layer_widths
from prunetune.config.parts import Params
from prunetune.plan import Reach
from prunetune.records.architecture import Architecture
from prunetune.registry import methods


class LeadingParams(Params):
    """`leading` has no parameters."""


@methods.register("leading", params=LeadingParams)
class Leading:
    """Every group keeps the same share of its channels: the first ones."""

    inherits: ClassVar[bool] = True
    takes_architecture: ClassVar[bool] = False

    def __init__(self, params: LeadingParams) -> None:
        self.params = params

    def run(self, context: Context) -> CompactModel:
        """The dense network without its last channels; Infeasible if the target is missed."""
        assert context.dense is not None
        architecture, target = context.architecture, context.target
        groups = prunable_groups(context.dense, architecture)
        costs = CostTable.measure(context.dense, architecture.input_shape, groups)
        found = select(last_first(costs.widths), costs, target.macs, target.lowest)
        model = cut(context.dense, groups, found.removed)
        compact = architecture.model_copy(update={"layers": layer_widths(model)})
        return CompactModel(model, compact, found.macs, kept_channels(groups, found.removed))

    def reach(self, architecture: Architecture, targets: Sequence[Target]) -> tuple[Reach, ...]:
        """What can be met, without weights: `prunetune plan` asks."""
        with torch.device("meta"):
            model = family_network(architecture)
        groups = prunable_groups(model, architecture)
        costs = CostTable.measure(model, architecture.input_shape, groups)
        smallest = costs.macs([1] * len(costs.widths))
        return tuple(try_to_reach(t, smallest, [partial(_macs, costs, t)]) for t in targets)


def last_first(widths: Sequence[int]) -> list[Step]:
    """All removable units, the last of each group first, groups in step."""
    steps = [Step(group, unit) for group, width in enumerate(widths) for unit in range(1, width)]
    return sorted(steps, key=lambda step: -step.unit / widths[step.group])


def _macs(costs: CostTable, target: Target) -> int:
    return select(last_first(costs.widths), costs, target.macs, target.lowest).macs
