"""Chooses the weights to keep: the largest of the whole network, with a minimum in each layer.

This is Global Magnitude Pruning with Minimum Threshold (Gupta et al., 2209.14624). All weights of
convolutions and linear layers take part, including the first and the last layer; biases and
normalisation do not. Every layer keeps at least `minimum` of its largest weights. Other layers are
pruned more in return, so the total still meets the budget exactly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from prunetune.compress.budget.counting import count_by_module
from prunetune.compress.method import Infeasible, Target
from prunetune.protocols import Shape


@dataclass(frozen=True)
class PrunableWeights:
    """The weights that may be zeroed: those of all layers, one layer after the other."""

    names: tuple[str, ...]
    """The parameter name of each layer's weight."""
    sizes: tuple[int, ...]
    """The number of weights of each layer."""
    costs: tuple[int, ...]
    """The MACs of one weight of each layer: the number of positions where it is used."""
    fixed_macs: int = 0
    """The MACs that no weight decides, such as those of attention's own products."""

    @classmethod
    def of(cls, model: nn.Module, input_shape: Shape) -> PrunableWeights:
        """The weights of all convolution and linear layers that the forward pass uses."""
        counted = count_by_module(model, input_shape)
        used = counted.layers
        layers = {name: model.get_submodule(name) for name in used}
        sizes = {name: layer.get_parameter("weight").numel() for name, layer in layers.items()}
        kernel_sizes = {
            name: math.prod(layer.kernel_size) if isinstance(layer, _ConvNd) else 1
            for name, layer in layers.items()
        }
        return cls(
            tuple(f"{name}.weight" for name in used),
            tuple(sizes.values()),
            tuple(cost // kernel_sizes[name] for name, cost in used.items()),
            sum(counted.products.values()),
        )

    @property
    def total(self) -> int:
        """The number of all weights."""
        return sum(self.sizes)

    @property
    def macs(self) -> int:
        """The MACs with all weights."""
        return self._macs(self.sizes)

    def macs_of(self, kept: Tensor) -> int:
        """The MACs with the weights `kept`."""
        return self._macs([int(layer.sum()) for layer in torch.split(kept, list(self.sizes))])

    def least(self, minimum: int) -> tuple[int, int]:
        """(weights, MACs) if every layer keeps `minimum` weights, or all if it has fewer."""
        kept = [min(minimum, size) for size in self.sizes]
        return sum(kept), self._macs(kept)

    def _macs(self, weights: Sequence[int]) -> int:
        """The MACs with this many weights of each layer."""
        products = (n * cost for n, cost in zip(weights, self.costs, strict=True))
        return self.fixed_macs + sum(products)

    def flat(self, tensors: Mapping[str, Tensor]) -> Tensor:
        """One value per weight, from a tensor per parameter name."""
        return torch.cat([tensors[name].detach().reshape(-1) for name in self.names])

    def masks(self, kept: Tensor, model: nn.Module) -> dict[str, Tensor]:
        """A mask per parameter name, from one value per weight."""
        layers = torch.split(kept, list(self.sizes))
        return {
            name: layer.view(model.get_parameter(name).shape)
            for name, layer in zip(self.names, layers, strict=True)
        }

    def per_weight(self, values: tuple[int, ...], like: Tensor) -> Tensor:
        """One value per weight, from one per layer."""
        sizes = torch.tensor(self.sizes, device=like.device)
        return torch.tensor(values, device=like.device).repeat_interleave(sizes)


@dataclass(frozen=True)
class Quota:
    """How many weights or MACs of a network may stay."""

    unit: Literal["weights", "macs"]
    at_most: int
    at_least: float
    """Equal to `at_most` if the unit is weights."""

    @classmethod
    def of(cls, target: Target, prunable: PrunableWeights, done: float = 1.0) -> Quota:
        """The quota of a target, after the share `done` of all its removals."""
        if target.sparsity is not None:
            removed = prunable.total - round((1 - target.sparsity) * prunable.total)
            kept = prunable.total - (removed if done == 1 else round(removed * done))
            return cls("weights", kept, kept)
        removed = prunable.macs - target.macs
        kept = prunable.macs - (removed if done == 1 else round(removed * done))
        return cls("macs", kept, target.lowest)


def kept_weights(
    magnitudes: Tensor,
    prunable: PrunableWeights,
    quota: Quota,
    minimum: int,
    unmasked: Tensor | None = None,
) -> Tensor:
    """Which weights stay: the largest, but at least `minimum` (or all) in each layer.

    Ties are broken by place. Weights that are not `unmasked` never come back.

    Raises:
        Infeasible: the minima of all layers exceed the quota (nearest: their MACs), or weights are
            too coarse for it (nearest: the most MACs up to the quota that were found).
    """
    # Masked weights rank below all others, so they are removed again first.
    scores = magnitudes if unmasked is None else magnitudes.masked_fill(~unmasked, -1.0)
    candidates = _above_minimum(scores, prunable, minimum)
    order = candidates[torch.argsort(scores[candidates], stable=True)]
    amounts = _amounts(prunable, quota, scores)
    cumulative = amounts[order].cumsum(0)
    everything = int(amounts.sum()) + (prunable.fixed_macs if quota.unit == "macs" else 0)
    excess = everything - quota.at_most
    count = int(torch.searchsorted(cumulative, excess)) + 1 if excess > 0 else 0
    if count > len(order):
        raise _minimum_too_large(prunable, quota, minimum)
    kept = torch.ones_like(scores, dtype=torch.bool)
    kept[order[:count]] = False
    total = everything - (int(cumulative[count - 1]) if count else 0)
    removed = order[:count] if unmasked is None else order[:count][unmasked[order[:count]]]
    _give_back(kept, removed, amounts, quota, total)
    return kept if unmasked is None else kept & unmasked


def _amounts(prunable: PrunableWeights, quota: Quota, like: Tensor) -> Tensor:
    """What each weight takes of the quota: its MACs, or one weight."""
    macs = prunable.per_weight(prunable.costs, like)
    return macs if quota.unit == "macs" else torch.ones_like(macs)


def _minimum_too_large(prunable: PrunableWeights, quota: Quota, minimum: int) -> Infeasible:
    weights, macs = prunable.least(minimum)
    return Infeasible(
        f"with at least {minimum} weights in each layer, {weights} of {prunable.total} weights "
        f"and {macs} MACs stay; the budget is {quota.at_most} {quota.unit}",
        macs,
    )


def _above_minimum(scores: Tensor, prunable: PrunableWeights, minimum: int) -> Tensor:
    """Places of the weights that are not among their layer's `minimum` largest."""
    candidates = torch.ones_like(scores, dtype=torch.bool)
    start = 0
    for size in prunable.sizes:
        layer = scores[start : start + size]
        largest = torch.sort(layer, descending=True, stable=True).indices[:minimum]
        candidates[start + largest] = False
        start += size
    return candidates.nonzero().squeeze(1)


def _give_back(kept: Tensor, removed: Tensor, amounts: Tensor, quota: Quota, total: int) -> None:
    """If the last weight overshot the tolerance, give back removed weights that fit, largest first.

    `total` is the amount (weights or MACs) that is kept so far.
    """
    for place in reversed(removed.tolist()) if total < quota.at_least else ():
        if total >= quota.at_least:
            return
        if total + int(amounts[place]) <= quota.at_most:
            kept[place] = True
            total += int(amounts[place])
    if total < quota.at_least:
        raise Infeasible.too_coarse("weights", total, quota.at_most, quota.at_least)
