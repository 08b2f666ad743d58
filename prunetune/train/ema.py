"""Exponential moving average of the weights."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


class Ema:
    """A moving average of a model: `module` is the network that is validated and kept.

    Batch norm's running statistics are averaged like weights; counters are copied. The decay starts
    low and rises to `decay`, as in TensorFlow's moving averages. Otherwise the initial weights
    would dominate the average of a short training.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.module = copy.deepcopy(model).requires_grad_(False)
        for module in self.module.modules():
            module._forward_hooks.clear()  # hooks of the trained model must not fire in the average
        self._decay = decay

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Move the average towards the weights after step number `step`, counted from 0."""
        pairs = list(zip(_tensors(self.module), _tensors(model), strict=True))
        averaged = [pair for pair in pairs if pair[0].is_floating_point()]
        averages, weights = [pair[0] for pair in averaged], [pair[1] for pair in averaged]
        torch._foreach_lerp_(averages, weights, 1 - self.decay_at(step))
        for counter, value in pairs:
            if not counter.is_floating_point():
                counter.copy_(value)

    def decay_at(self, step: int) -> float:
        """The decay at step number `step`."""
        return min(self._decay, (1 + step) / (10 + step))


def _tensors(model: nn.Module) -> list[Tensor]:
    return [*model.parameters(), *model.buffers()]
