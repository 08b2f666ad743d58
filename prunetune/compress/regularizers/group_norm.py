"""Group norm: decay the weak units of a group faster than the strong ones (DepGraph)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from prunetune.compress.criterion import About
from prunetune.compress.graph.groups import Group
from prunetune.compress.regularizer import Factor, Strength
from prunetune.compress.regularizers.decay import Decay
from prunetune.compress.regularizers.units import Units
from prunetune.protocols import Hook
from prunetune.registry import regularizers


class GroupNormParams(Strength):
    """Parameters of `group_norm`."""

    strength: Factor = 1e-4
    alpha: Annotated[
        float, Field(ge=0, description="the weakest unit decays 2^alpha times as fast")
    ] = 4.0


@regularizers.register("group_norm", params=GroupNormParams)
class GroupNorm:
    """Decay by λ c θ, with c from 1 (the strongest unit of a group) to 2^alpha (the weakest)."""

    about: ClassVar[About] = About(
        paper="Fang et al., CVPR 2023, 2301.12900",
        cost="one pass over the weights per step",
        differs="Units are compared by the squared norm, as in the paper. Unlike in torch-pruning, "
        "alpha has an effect, equal units cause no division by zero, and biases and shifts decay.",
    )

    def __init__(self, params: GroupNormParams) -> None:
        self.params = params

    def applies(self, model: nn.Module, group: Group) -> bool:
        """True for every group."""
        return True

    def hook(self, groups: Sequence[Group], steps: int) -> Hook:
        """See `Regularizer`."""
        return Decay(groups, self.params, steps, self._factors)

    def _factors(self, units: Units) -> Tensor:
        return torch.exp2(self.params.alpha * units.weakness(units.energies()))
