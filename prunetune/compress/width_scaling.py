"""Width scaling: a thin network of the same depth, trained from scratch (ThinResNet)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from prunetune.compress.method import CompactModel, Context, Infeasible, Target
from prunetune.compress.reach import Reach
from prunetune.compress.thin import Thin, Thinner
from prunetune.records.architecture import Architecture
from prunetune.registry import methods
from prunetune.spec.parts import Params


class WidthScalingParams(Params):
    """`width_scaling` has no parameters."""


@methods.register("width_scaling", params=WidthScalingParams)
class WidthScaling:
    """All stages narrower by one factor, with a few extra channels inside blocks to fit."""

    inherits: ClassVar[bool] = False
    takes_architecture: ClassVar[bool] = False

    def __init__(self, params: WidthScalingParams) -> None:
        self.params = params

    def run(self, context: Context) -> CompactModel:
        """The thin network with its family's initial weights; Infeasible if too coarse."""
        thinner = Thinner(context.architecture)
        thin = thinner.find(context.target.macs, context.target.lowest)
        architecture = thinner.architecture_at(thin.widths, thin.inner)
        return CompactModel(
            context.build(architecture), architecture, thin.macs, departures=_departures(thin)
        )

    def reach(self, architecture: Architecture, targets: Sequence[Target]) -> tuple[Reach, ...]:
        """What can be met; see `prunetune.compress.reach.reach`."""
        thinner = Thinner(architecture)
        smallest = thinner.smallest_macs()
        return tuple(_try(thinner, target, smallest) for target in targets)


def _try(thinner: Thinner, target: Target, smallest: int) -> Reach:
    try:
        macs = thinner.find(target.macs, target.lowest).macs
    except Infeasible as miss:
        return Reach(smallest, miss.nearest_macs, within=False, reason=str(miss))
    return Reach(smallest, macs, within=True)


def _departures(thin: Thin) -> dict[str, Any]:
    """How the network departs from rounded uniform widths, as the record has it."""
    if not any(thin.extra):
        return {}
    return {
        "extra_inner_channels": sum(thin.extra),
        "extra_per_block": max(thin.extra),
        "uniform_macs": thin.uniform_macs,
    }
