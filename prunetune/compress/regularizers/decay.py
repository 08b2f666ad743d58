"""A hook that pulls every unit towards zero by a factor of its own, as most regularisers do."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from prunetune.compress.graph.groups import Group
from prunetune.compress.regularizer import Strength
from prunetune.compress.regularizers.units import Units
from prunetune.protocols import Hook


class Decay(Hook):
    """A hook that adds strength x factor x parameters to the gradient of every unit.

    `factors` is called in every step and returns one factor per unit.
    """

    def __init__(
        self,
        groups: Sequence[Group],
        params: Strength,
        steps: int,
        factors: Callable[[Units], Tensor],
    ) -> None:
        self.groups, self.params, self.steps, self.factors = groups, params, steps, factors
        self._units: Units | None = None

    def units(self, model: nn.Module) -> Units:
        """The groups' units in `model`, made at the first step, when it is on its device."""
        if self._units is None:
            self._units = Units(model, self.groups)
        return self._units

    def after_backward(self, model: nn.Module, step: int) -> None:
        """Add to the gradients."""
        strength = self.params.at(step, self.steps)
        if strength:
            units = self.units(model)
            units.shrink(strength * self.factors(units))
