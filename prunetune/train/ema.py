"""Exponential moving average of the weights."""

from __future__ import annotations

import copy

import torch
from torch import nn


class Ema:
    """A copy of a model that follows it: `module` is what is validated and kept.

    Batch norm's running statistics are averaged with the weights that they belong to; counters are
    copied. The decay starts low and rises to `decay`, as in TensorFlow's moving averages, else a
    short training would be judged by its initial weights.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.module = copy.deepcopy(model).requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Move towards the weights that step number `step` (from 0) has led to."""
        pairs = list(
            zip(self.module.state_dict().values(), model.state_dict().values(), strict=True)
        )
        averaged = [(mine, its) for mine, its in pairs if mine.is_floating_point()]
        torch._foreach_lerp_(
            [mine for mine, _ in averaged], [its for _, its in averaged], 1 - self.decay_at(step)
        )
        for mine, its in pairs:
            if not mine.is_floating_point():
                mine.copy_(its)

    def decay_at(self, step: int) -> float:
        """The decay of step number `step`."""
        return min(self._decay, (1 + step) / (10 + step))
