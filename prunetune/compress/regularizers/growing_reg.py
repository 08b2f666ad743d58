"""Growing regularisation: decay that grows epoch by epoch, fastest for the weakest units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


class GrowingRegParams(Strength):
    """Parameters of `growing_reg`."""

    strength: Factor = 1e-4
    growth: Annotated[
        float,
        Field(ge=0, description="how much the weakest unit's decay grows per epoch, in strengths"),
    ] = 1.0


@regularizers.register("growing_reg", params=GrowingRegParams)
class GrowingReg:
    """Decay by λ_i θ_i, λ_i alike at first and growing after each epoch with a unit's weakness."""

    about: ClassVar[About] = About(
        paper="Wang et al., ICLR 2021, 2012.09243",
        cost="one pass over the weights per step",
        differs="batch norms decay too, where torch-pruning adds to a copy of their gradient",
    )

    def __init__(self, params: GrowingRegParams) -> None:
        self.params = params

    def applies(self, model: nn.Module, group: Group) -> bool:
        """Everywhere."""
        return True

    def hook(self, groups: Sequence[Group], steps: int) -> Hook:
        """See `Regularizer`."""
        return Growing(groups, self.params, steps)


class Growing(Decay):
    """The hook, whose state is by how much every unit's decay has grown."""

    def __init__(self, groups: Sequence[Group], params: GrowingRegParams, steps: int) -> None:
        super().__init__(groups, params, steps, self._now)
        self.growth = params.growth
        self.grown = torch.ones(sum(group.width for group in groups))
        """(units,) λ_i as a multiple of the strength: all one at first."""

    @torch.no_grad()
    def after_epoch(self, model: nn.Module, epoch: int) -> None:
        """Grow."""
        units = self.units(model)
        self.grown = self._now(units) + self.growth * units.weakness(units.energies())

    def state_dict(self) -> dict[str, Tensor]:
        """For the checkpoint."""
        return {"grown": self.grown}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """From the checkpoint."""
        self.grown = state["grown"]

    def _now(self, units: Units) -> Tensor:
        """Where the units are: the network's device is not known before the first step."""
        self.grown = self.grown.to(units.sizes.device)
        return self.grown
