"""L1: a penalty on the absolute weights of the convolutions that write a channel (Tibshirani)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from prunetune.plugin import About, Group, Hook, Strength, regularizers


class L1Params(Strength):
    """Parameters of `l1`: `strength` and `ramp`."""


@regularizers.register("l1", params=L1Params)
class L1:
    """The sum of the absolute weights of the convolutions that write a channel."""

    about: ClassVar[About] = About(
        paper="Tibshirani, J. R. Stat. Soc. B, 1996", cost="one pass over the weights per step"
    )

    def __init__(self, params: L1Params) -> None:
        self.params = params

    def applies(self, model: nn.Module, group: Group) -> bool:
        """Whether a convolution writes channels of this group."""
        return any(isinstance(model.get_submodule(m.layer), nn.Conv2d) for m in group.writers)

    def hook(self, groups: Sequence[Group], steps: int) -> Hook:
        """See `Regularizer`."""
        layers = {m.layer for group in groups for m in group.writers}
        return L1Hook(sorted(layers), self.params, steps)


class L1Hook(Hook):
    """Adds strength x sign(w) to the gradient of every weight w of these convolutions."""

    def __init__(self, layers: Sequence[str], params: L1Params, steps: int) -> None:
        self.layers, self.params, self.steps = layers, params, steps

    @torch.no_grad()
    def after_backward(self, model: nn.Module, step: int) -> None:
        """Add to the gradients; with strength 0 change nothing."""
        if strength := self.params.at(step, self.steps):
            for name in self.layers:
                layer = model.get_submodule(name)
                if isinstance(layer, nn.Conv2d):
                    weight: Tensor = layer.weight
                    assert weight.grad is not None
                    weight.grad.add_(weight.sign(), alpha=strength)
