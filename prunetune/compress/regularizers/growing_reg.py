"""Growing regularisation: decay that grows after every epoch, fastest for the weakest units."""

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
    """Decay by λ_i θ_i; all λ_i start equal and grow after each epoch by the unit's weakness."""

    about: ClassVar[About] = About(
        paper="Wang et al., ICLR 2021, 2012.09243",
        cost="one pass over the weights per step",
        differs="Batch norms decay too; torch-pruning adds to a copy of their gradient, which has "
        "no effect.",
    )

    def __init__(self, params: GrowingRegParams) -> None:
        self.params = params

    def applies(self, model: nn.Module, group: Group) -> bool:
        """True for every group."""
        return True

    def hook(self, groups: Sequence[Group], steps: int) -> Hook:
        """See `Regularizer`."""
        return GrowingDecay(groups, self.params, steps)


class GrowingDecay(Decay):
    """The hook; its state is the growth of every unit's decay so far."""

    def __init__(self, groups: Sequence[Group], params: GrowingRegParams, steps: int) -> None:
        super().__init__(groups, params, steps, self._current)
        self.growth = params.growth
        self.grown = torch.ones(sum(group.width for group in groups))
        """(units,) λ_i as a multiple of the strength; all are 1 at first."""

    @torch.no_grad()
    def after_epoch(self, model: nn.Module, epoch: int) -> None:
        """Let the decay of weak units grow."""
        units = self.units(model)
        self.grown = self._current(units) + self.growth * units.weakness(units.energies())

    def state_dict(self) -> dict[str, Tensor]:
        """For the checkpoint."""
        return {"grown": self.grown}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """From the checkpoint."""
        self.grown = state["grown"]

    def _current(self, units: Units) -> Tensor:
        """`grown`, moved to the network's device, which is unknown before the first step."""
        self.grown = self.grown.to(units.sizes.device)
        return self.grown
