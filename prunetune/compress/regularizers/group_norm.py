"""Group norm: the weak units of a group decay faster than the strong ones (DepGraph)."""

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
    """Decay by λ c θ, c from 1 (the strongest unit of a group) to 2^alpha (the weakest)."""

    about: ClassVar[About] = About(
        paper="Fang et al., CVPR 2023, 2301.12900",
        cost="one pass over the weights per step",
        differs="by the paper's squared norm; alpha is heeded, equal units do not divide by zero, "
        "biases and shifts decay too",
    )

    def __init__(self, params: GroupNormParams) -> None:
        self.params = params

    def applies(self, model: nn.Module, group: Group) -> bool:
        """Everywhere."""
        return True

    def hook(self, groups: Sequence[Group], steps: int) -> Hook:
        """See `Regularizer`."""
        return Decay(groups, self.params, steps, self._factors)

    def _factors(self, units: Units) -> Tensor:
        return torch.exp2(self.params.alpha * units.weakness(units.energies()))
