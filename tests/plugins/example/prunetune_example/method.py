"""A control: each group keeps its first channels, whatever their weights are."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

import torch

from prunetune.plugin import (
    Architecture,
    CompactModel,
    Context,
    CostTable,
    Params,
    Reach,
    Step,
    Target,
    cut,
    family_network,
    kept_channels,
    layer_widths,
    methods,
    prunable_groups,
    select,
    try_to_reach,
)


class LeadingParams(Params):
    """`leading` has no parameters."""


@methods.register("leading", params=LeadingParams)
class Leading:
    """Each group keeps its first channels, the same share in every group."""

    inherits: ClassVar[bool] = True
    takes_architecture: ClassVar[bool] = False

    def __init__(self, params: LeadingParams) -> None:
        self.params = params

    def run(self, context: Context) -> CompactModel:
        """The dense network without the last channels of each group.

        Raises:
            Infeasible: the target cannot be met.
        """
        assert context.dense is not None
        architecture, target = context.architecture, context.target
        groups = prunable_groups(context.dense, architecture)
        costs = CostTable.measure(context.dense, architecture.input_shape, groups)
        selection = select(last_first(costs.widths), costs, target.macs, target.lowest)
        model = cut(context.dense, groups, selection.removed)
        compact = architecture.model_copy(update={"layers": layer_widths(model)})
        kept = kept_channels(groups, selection.removed)
        return CompactModel(model, compact, selection.macs, kept)

    def reach(self, architecture: Architecture, targets: Sequence[Target]) -> tuple[Reach, ...]:
        """Which targets can be met: `prunetune plan` asks this, without weights."""
        with torch.device("meta"):
            model = family_network(architecture)
        groups = prunable_groups(model, architecture)
        costs = CostTable.measure(model, architecture.input_shape, groups)
        smallest = costs.macs([1] * len(costs.widths))
        return tuple(try_to_reach(t, smallest, [partial(_macs, costs, t)]) for t in targets)


def last_first(widths: Sequence[int]) -> list[Step]:
    """The order in which units go: each group from its last unit, all groups at the same pace."""
    steps = [Step(group, unit) for group, width in enumerate(widths) for unit in range(1, width)]
    return sorted(steps, key=lambda step: -step.unit / widths[step.group])


def _macs(costs: CostTable, target: Target) -> int:
    return select(last_first(costs.widths), costs, target.macs, target.lowest).macs
