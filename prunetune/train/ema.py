"""Exponential moving average of the weights."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


class Ema:
    """A copy of a model that follows it: `module` is what is validated and kept.

    Batch norm's running statistics are averaged with the weights that they belong to; counters are
    copied. The decay starts low and rises to `decay`, as in TensorFlow's moving averages, else a
    short training would be judged by its initial weights.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.module = copy.deepcopy(model).requires_grad_(False)
        for module in self.module.modules():
            module._forward_hooks.clear()  # whoever watches the training does not watch this
        self._decay = decay

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Move towards the weights that step number `step` (from 0) has led to."""
        pairs = list(zip(_tensors(self.module), _tensors(model), strict=True))
        averaged = [pair for pair in pairs if pair[0].is_floating_point()]
        mine, its = [pair[0] for pair in averaged], [pair[1] for pair in averaged]
        torch._foreach_lerp_(mine, its, 1 - self.decay_at(step))
        for counter, value in pairs:
            if not counter.is_floating_point():
                counter.copy_(value)

    def decay_at(self, step: int) -> float:
        """The decay of step number `step`."""
        return min(self._decay, (1 + step) / (10 + step))


def _tensors(model: nn.Module) -> list[Tensor]:
    return [*model.parameters(), *model.buffers()]
