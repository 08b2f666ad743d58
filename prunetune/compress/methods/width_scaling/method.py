"""Width scaling: a smaller network of the same family, trained from scratch (ThinResNet).

It is narrower as a whole, narrower only inside its blocks, or has fewer blocks (Crowley et al.,
1810.04622).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import partial
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from prunetune.compress.method import CompactModel, Context, Infeasible, Target, try_to_reach
from prunetune.compress.methods.width_scaling.groups import (
    reach_by_groups,
    scales_groups,
    thin_by_groups,
)
from prunetune.compress.methods.width_scaling.solver import ScaledWidths, WidthSolver
from prunetune.compress.methods.width_scaling.variants import FewerBlocks, NarrowerBlocks
from prunetune.config.parts import Params
from prunetune.plan import Reach
from prunetune.records.architecture import Architecture
from prunetune.registry import methods

_SOLVERS = {"width": WidthSolver, "inner": NarrowerBlocks, "depth": FewerBlocks}
Share = Annotated[float, Field(gt=0, le=16)]


class StageProfile(Params):
    """Widths of the stages relative to the dense ones; only their ratios count.

    A network has as many stages as its family has stage widths. MobileNetV2 has the most: nine.
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
        """Each share as an exact fraction of the decimal in the sweep file."""
        return tuple(Fraction(str(share)) for _, share in self)


class WidthScalingParams(Params):
    """Parameters of `width_scaling`."""

    by: Annotated[
        Literal["width", "inner", "depth"],
        Field(
            description="width: all stages get narrower; inner: only the insides of the blocks do; "
            "depth: blocks are left out, the last block of the last stage first"
        ),
    ] = "width"
    profile: Annotated[
        StageProfile | None,
        Field(
            description="relative widths of the stages; null: those of the dense network; not "
            "allowed with by: depth"
        ),
    ] = None

    round_to: Annotated[
        int,
        Field(
            ge=1,
            description="widths are multiples of this number, but for layers that are narrower than"
            " it; 1: any width",
        ),
    ] = 1

    @model_validator(mode="after")
    def _widths_have_profiles(self) -> Self:
        if self.by == "depth" and self.profile is not None:
            raise ValueError("a profile is of widths: allowed with by: width or by: inner")
        return self


@methods.register("width_scaling", params=WidthScalingParams)
class WidthScaling:
    """All stages narrower by one factor, with a few extra channels inside blocks to fit.

    A network without stages (`module`) is scaled group by group; see `groups.py`.
    """

    inherits: ClassVar[bool] = False
    takes_architecture: ClassVar[bool] = False

    def __init__(self, params: WidthScalingParams) -> None:
        self.params = params

    def run(self, context: Context) -> CompactModel:
        """The scaled network with its family's initial weights.

        Raises:
            Infeasible: the widths are too coarse, or the family cannot have them.
        """
        if self._scales_groups(context.architecture):
            return thin_by_groups(context, self.params.round_to)
        scaled, architecture = _solve(self._solver(context.architecture), context.target)
        model = context.build(architecture)
        return CompactModel(model, architecture, scaled.macs, departures=_departures(scaled))

    def reach(self, architecture: Architecture, targets: Sequence[Target]) -> tuple[Reach, ...]:
        """Whether the method meets each target; see `prunetune.compress.method.reach`."""
        if self._scales_groups(architecture):
            return reach_by_groups(architecture, targets, self.params.round_to)
        solver = self._solver(architecture)
        smallest_macs = solver.smallest_macs()
        return tuple(
            try_to_reach(target, smallest_macs, [partial(_macs, solver, target)])
            for target in targets
        )

    def _scales_groups(self, architecture: Architecture) -> bool:
        """Whether the network has no stages, and all its groups are scaled.

        Raises:
            ValueError: the parameters ask for what only stages and blocks have.
        """
        if not scales_groups(architecture):
            return False
        if self.params.by != "width" or self.params.profile is not None:
            raise ValueError(
                f"width_scaling: {architecture.model} has no stages and blocks: all its groups of "
                "coupled channels are scaled by one factor; leave out by and profile"
            )
        return True

    def _solver(self, architecture: Architecture) -> WidthSolver:
        profile = self.params.profile
        shares = profile.shares if profile else ()
        return _SOLVERS[self.params.by](architecture, shares, self.params.round_to)


def _solve(solver: WidthSolver, target: Target) -> tuple[ScaledWidths, Architecture]:
    scaled = solver.solve(target.macs, target.lowest)
    try:
        return scaled, solver.architecture_at(scaled.widths, scaled.inner)
    except ValueError as error:  # such as stages that get narrower where a shortcut pads zeros
        raise Infeasible(str(error), solver.smallest_macs()) from error


def _macs(solver: WidthSolver, target: Target) -> int:
    scaled, _ = _solve(solver, target)
    return scaled.macs


def _departures(scaled: ScaledWidths) -> dict[str, Any]:
    """How the network differs from rounded uniform widths, for the record."""
    blocks = {"blocks_removed": scaled.inner.count(0)} if 0 in scaled.inner else {}
    if not any(scaled.extra):
        return blocks
    fewer = -sum(extra for extra in scaled.extra if extra < 0)
    return blocks | {
        **({"fewer_inner_channels": fewer} if fewer else {}),
        "extra_inner_channels": sum(extra for extra in scaled.extra if extra > 0),
        "extra_per_block": max(scaled.extra),
        "uniform_macs": scaled.uniform_macs,
    }
