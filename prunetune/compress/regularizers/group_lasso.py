"""Group LASSO: shrink every unit's norm by the same length per step, until it is zero."""

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


class GroupLassoParams(Strength):
    """Parameters of `group_lasso`."""

    strength: Factor = 1e-3
    size: Annotated[
        bool, Field(description="multiply a unit's norm by the root of its number of parameters")
    ] = False


@regularizers.register("group_lasso", params=GroupLassoParams)
class GroupLasso:
    """Penalty λ Σ ‖θ‖, with θ all parameters of one unit, in every layer that it touches."""

    about: ClassVar[About] = About(
        paper="Friedman et al., 2010, 1001.0736",
        cost="one pass over the weights per step",
        differs="Convolutions shrink too; torch-pruning's version covers batch norm scales alone.",
    )

    def __init__(self, params: GroupLassoParams) -> None:
        self.params = params

    def applies(self, model: nn.Module, group: Group) -> bool:
        """True for every group."""
        return True

    def hook(self, groups: Sequence[Group], steps: int) -> Hook:
        """See `Regularizer`."""
        return Decay(groups, self.params, steps, self._factors)

    def _factors(self, units: Units) -> Tensor:
        """1 / ‖θ‖, since the gradient of a norm is θ / ‖θ‖; 0 for a unit that is zero already."""
        energies = units.energies()
        factors = torch.where(energies > 0, energies.rsqrt(), 0.0)
        return factors * units.sizes.sqrt() if self.params.size else factors
