"""Single weights ranked over the whole network, with a minimum in each layer (Gupta et al.,
2209.14624: Global Magnitude Pruning with Minimum Threshold).

All weights of convolutions and linear layers take part, the first and the last layer's too; biases
and normalisation do not. A layer keeps at least so many of its largest weights, and what that costs
the other layers give up: the total is exact.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from prunetune.compress.budget.costs import macs_per_channel_pair
from prunetune.compress.method import Infeasible, Target
from prunetune.protocols import Shape


@dataclass(frozen=True)
class Prunable:
    """The weights that may go, layer after layer, end to end."""

    names: tuple[str, ...]
    """Of the parameters."""
    sizes: tuple[int, ...]
    costs: tuple[int, ...]
    """MACs of one weight: the positions of its layer's output."""

    @classmethod
    def of(cls, model: nn.Module, input_shape: Shape) -> Prunable:
        """Those of all layers that the forward pass uses."""
        used = macs_per_channel_pair(model, input_shape)
        layers = {name: model.get_submodule(name) for name in used}
        sizes = {name: layer.get_parameter("weight").numel() for name, layer in layers.items()}
        taps = {
            name: math.prod(layer.kernel_size) if isinstance(layer, _ConvNd) else 1
            for name, layer in layers.items()
        }
        return cls(
            tuple(f"{name}.weight" for name in used),
            tuple(sizes.values()),
            tuple(cost // taps[name] for name, cost in used.items()),
        )

    @property
    def total(self) -> int:
        """All weights."""
        return sum(self.sizes)

    @property
    def macs(self) -> int:
        """With all weights."""
        return sum(size * cost for size, cost in zip(self.sizes, self.costs, strict=True))

    def least(self, minimum: int) -> tuple[int, int]:
        """(weights, MACs) with nothing but the minimum of each layer."""
        left = [min(minimum, size) for size in self.sizes]
        return sum(left), sum(n * cost for n, cost in zip(left, self.costs, strict=True))

    def flat(self, tensors: Mapping[str, Tensor]) -> Tensor:
        """One value per weight from a tensor per parameter, in whatever order they come."""
        return torch.cat([tensors[name].detach().reshape(-1) for name in self.names])

    def masks(self, living: Tensor, model: nn.Module) -> dict[str, Tensor]:
        """A mask per parameter from one value per weight."""
        parts = torch.split(living, list(self.sizes))
        return {
            name: part.view(model.get_parameter(name).shape)
            for name, part in zip(self.names, parts, strict=True)
        }

    def per_weight(self, values: tuple[int, ...], like: Tensor) -> Tensor:
        """One value per weight from one per layer."""
        sizes = torch.tensor(self.sizes, device=like.device)
        return torch.tensor(values, device=like.device).repeat_interleave(sizes)


@dataclass(frozen=True)
class Quota:
    """How much of a network may stay."""

    unit: Literal["weights", "macs"]
    at_most: int
    at_least: float
    """As many weights, exactly, where the unit is weights."""

    @classmethod
    def of(cls, target: Target, prunable: Prunable, done: float = 1.0) -> Quota:
        """What a target asks for; on the way to it (`done` < 1) a share of what goes is gone."""
        if target.sparsity is not None:
            gone = prunable.total - round((1 - target.sparsity) * prunable.total)
            kept = prunable.total - (gone if done == 1 else round(gone * done))
            return cls("weights", kept, kept)
        gone = prunable.macs - target.macs
        return cls(
            "macs", prunable.macs - (gone if done == 1 else round(gone * done)), target.lowest
        )


def living(
    magnitudes: Tensor, prunable: Prunable, quota: Quota, minimum: int, alive: Tensor | None = None
) -> Tensor:
    """Which weights stay: the largest, at least `minimum` (or all) in each layer.

    Ties go by place. Of what is no longer `alive` nothing comes back.

    Raises:
        Infeasible: the minima of all layers are more than the quota (nearest: their MACs), or
            weights are too coarse for it (nearest: the most MACs up to it that were found).
    """
    scores = magnitudes if alive is None else magnitudes.masked_fill(~alive, -1.0)
    free = _free(scores, prunable, minimum)
    order = free[torch.argsort(scores[free], stable=True)]
    costs = prunable.per_weight(prunable.costs, scores)
    weighs = costs if quota.unit == "macs" else torch.ones_like(costs)
    fewer = weighs[order].cumsum(0)
    excess = int(weighs.sum()) - quota.at_most
    count = int(torch.searchsorted(fewer, excess)) + 1 if excess > 0 else 0
    if count > len(order):
        weights, macs = prunable.least(minimum)
        raise Infeasible(
            f"with at least {minimum} weights in each layer {weights} weights of "
            f"{prunable.total} and {macs} MACs are left, at most {quota.at_most} {quota.unit} may",
            macs,
        )
    stays = torch.ones_like(scores, dtype=torch.bool)
    stays[order[:count]] = False
    left = int(weighs.sum()) - (int(fewer[count - 1]) if count else 0)
    gone = order[:count] if alive is None else order[:count][alive[order[:count]]]
    _give_back(stays, gone, weighs, quota, left)
    return stays if alive is None else stays & alive


def _free(scores: Tensor, prunable: Prunable, minimum: int) -> Tensor:
    """Places of the weights that are not among their layer's `minimum` largest."""
    free = torch.ones_like(scores, dtype=torch.bool)
    at = 0
    for size in prunable.sizes:
        best = torch.sort(scores[at : at + size], descending=True, stable=True).indices[:minimum]
        free[at + best] = False
        at += size
    return free.nonzero().squeeze(1)


def _give_back(stays: Tensor, gone: Tensor, weighs: Tensor, quota: Quota, left: int) -> None:
    """Put the largest of what went back while it fits, where the last weight was too coarse."""
    for place in reversed(gone.tolist()) if left < quota.at_least else ():
        if left >= quota.at_least:
            return
        if left + int(weighs[place]) <= quota.at_most:
            stays[place] = True
            left += int(weighs[place])
    if left < quota.at_least:
        raise Infeasible.too_coarse("weights", left, quota.at_most, quota.at_least)
