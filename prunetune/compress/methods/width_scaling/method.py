"""Width scaling: a smaller network of the same family, trained from scratch (ThinResNet).

Narrower as a whole, or inside its blocks alone, or of fewer blocks (Crowley et al., 1810.04622).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from prunetune.compress.method import CompactModel, Context, Infeasible, Reach, Target
from prunetune.compress.methods.width_scaling.solver import ScaledWidths, WidthSolver
from prunetune.compress.methods.width_scaling.variants import Narrower, Shallower
from prunetune.config.parts import Params
from prunetune.records.architecture import Architecture
from prunetune.registry import methods

THINNERS = {"width": WidthSolver, "inner": Narrower, "depth": Shallower}
Share = Annotated[float, Field(gt=0, le=16)]


class StageProfile(Params):
    """Widths of the stages relative to the dense ones; only their ratios count.

    A network has as many as its family has stage widths; MobileNetV2 has most, nine.
    """

    stage1: Share = 1.0
    stage2: Share = 1.0
    stage3: Share = 1.0
    stage4: Share = 1.0
    stage5: Share = 1.0
    stage6: Share = 1.0
    stage7: Share = 1.0
    stage8: Share = 1.0
    stage9: Share = 1.0

    @property
    def shares(self) -> tuple[Fraction, ...]:
        """Each as the decimal that was written."""
        return tuple(Fraction(str(share)) for _, share in self)


class WidthScalingParams(Params):
    """Parameters of `width_scaling`."""

    by: Annotated[
        Literal["width", "inner", "depth"],
        Field(
            description="width: all stages narrower; inner: only the insides of the blocks; depth: "
            "fewer blocks, the last of the last stage first"
        ),
    ] = "width"
    profile: Annotated[
        StageProfile | None,
        Field(description="relative widths of the stages, null: as the dense ones; not for depth"),
    ] = None

    @model_validator(mode="after")
    def _widths_have_profiles(self) -> Self:
        if self.by == "depth" and self.profile is not None:
            raise ValueError("a profile is of widths: allowed with by: width or by: inner")
        return self


@methods.register("width_scaling", params=WidthScalingParams)
class WidthScaling:
    """All stages narrower by one factor, with a few extra channels inside blocks to fit."""

    inherits: ClassVar[bool] = False
    takes_architecture: ClassVar[bool] = False

    def __init__(self, params: WidthScalingParams) -> None:
        self.params = params

    def run(self, context: Context) -> CompactModel:
        """The thin network with its family's initial weights.

        Raises Infeasible if widths are too coarse, or are none that the family can have.
        """
        thinner = self._thinner(context.architecture)
        thin, architecture = _find(thinner, context.target)
        departures = _departures(thin)
        return CompactModel(
            context.build(architecture), architecture, thin.macs, departures=departures
        )

    def reach(self, architecture: Architecture, targets: Sequence[Target]) -> tuple[Reach, ...]:
        """What can be met; see `prunetune.compress.method.reach`."""
        thinner = self._thinner(architecture)
        smallest = thinner.smallest_macs()
        return tuple(_try(thinner, target, smallest) for target in targets)

    def _thinner(self, architecture: Architecture) -> WidthSolver:
        profile = self.params.profile
        return THINNERS[self.params.by](architecture, profile.shares if profile else ())


def _find(thinner: WidthSolver, target: Target) -> tuple[ScaledWidths, Architecture]:
    thin = thinner.find(target.macs, target.lowest)
    try:
        return thin, thinner.architecture_at(thin.widths, thin.inner)
    except ValueError as error:  # such as stages that narrow where zeros are padded
        raise Infeasible(str(error), thinner.smallest_macs()) from error


def _try(thinner: WidthSolver, target: Target, smallest: int) -> Reach:
    try:
        thin, _ = _find(thinner, target)
    except Infeasible as miss:
        return Reach(smallest, miss.nearest_macs, within=False, reason=str(miss))
    return Reach(smallest, thin.macs, within=True)


def _departures(thin: ScaledWidths) -> dict[str, Any]:
    """How the network departs from rounded uniform widths, as the record has it."""
    gone = {"blocks_removed": thin.inner.count(0)} if 0 in thin.inner else {}
    if not any(thin.extra):
        return gone
    return gone | {
        "extra_inner_channels": sum(thin.extra),
        "extra_per_block": max(thin.extra),
        "uniform_macs": thin.uniform_macs,
    }
