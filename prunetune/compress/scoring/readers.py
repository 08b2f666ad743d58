"""What a group's units contribute to the layers that read them.

A reader is a convolution or linear layer on whose input side the units are (a depthwise convolution
is none: it hands each channel on). At output position p it sums one contribution x_pi per unit, its
patch times its slice of the weights. Whatever is kept, removed or scaled, the squared error of the
output is a quadratic form of the contributions' Gram matrix G_ij = Σ_p ⟨x_pi, x_pj⟩:

    Σ_p ‖Σ_i (1 - β_i) x_pi‖² = (1 - β)ᵀ G (1 - β)

so that G, small and summed over images, is all that scoring keeps. Where a group has several
readers, each one's G is divided by the energy of its output, Σ_p ‖y_p‖², and they are added.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from prunetune.compress.criterion import Scene
from prunetune.compress.graph.groups import Group, Member
from prunetune.compress.scoring.passes import passes
from prunetune.compress.scoring.positions import Layer, PositionSample, SampleParams, draw, weights

BLOCK = 2**24
"""Numbers held at once where contributions are multiplied out."""


def readers(group: Group) -> list[Member]:
    """The members on whose input side the units are."""
    return [member for member in group.members if member.side == "in"]


def is_read(model: nn.Module, group: Group) -> bool:
    """Whether layers read the group, all of them of a kind that can be looked into."""
    layers = [model.get_submodule(member.layer) for member in readers(group)]
    return bool(layers) and all(isinstance(layer, nn.Conv2d | nn.Linear) for layer in layers)


def grams(scene: Scene, criterion: str, params: SampleParams) -> list[Tensor]:
    """Per group (units, units) on the CPU: what its contributions have in common, see above.

    Without any unit of a group that is all its readers see, the error is the number of readers.
    """
    sample = PositionSample(draw(scene, params))
    books = {member.layer: _Book() for group in scene.groups for member in readers(group)}
    with passes(scene, criterion, params.images, backward=False) as (model, chunks):
        for name, book in books.items():
            hook = book.hook(sample, _ends(scene.groups, name))
            model.get_submodule(name).register_forward_hook(hook)
        sample.watch(model, chunks)
    found = [torch.zeros(group.width, group.width, dtype=torch.float64) for group in scene.groups]
    for book in books.values():
        for number, total in book.totals.items():
            if book.energy > 0:
                found[number] += total.cpu() / book.energy
    return found


def _ends(groups: Sequence[Group], layer: str) -> list[tuple[int, Tensor]]:
    """Which groups a layer reads, by number, and their channels on its input side."""
    return [
        (number, torch.from_numpy(member.index))
        for number, group in enumerate(groups)
        for member in readers(group)
        if member.layer == layer
    ]


class _Book:
    """What one reader has seen so far."""

    def __init__(self) -> None:
        self.energy = 0.0
        self.totals: dict[int, Tensor] = {}
        """Group number -> Gram matrix."""

    def hook(self, sample: PositionSample, ends: list[tuple[int, Tensor]]) -> Any:
        """A forward hook that adds the images being passed."""

        def hook(layer: Layer, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            x, weight = sample.inputs(layer, inputs[0]), weights(layer)
            self.energy += float(sample.outputs(layer, output).square().sum())
            for number, index in ends:
                there = index.to(x.device)
                found = gram(by_unit(x, there), by_unit(weight, there))
                self.totals[number] = self.totals.get(number, 0) + found

        return hook


def by_unit(x: Tensor, index: Tensor) -> Tensor:
    """(groups, rows, channels, taps) -> (groups, rows, units, what a unit has of them).

    `index` (units, channels per unit) counts channels over all convolution groups; a unit has
    equally many in each, in order.
    """
    groups, rows, channels, _ = x.shape
    local = (index.reshape(len(index), groups, -1) % channels).transpose(0, 1).flatten(1)
    which = torch.arange(groups, device=x.device)[:, None]
    return x[which, :, local].transpose(1, 2).reshape(groups, rows, len(index), -1)


def gram(x: Tensor, weight: Tensor) -> Tensor:
    """(units, units) Σ over rows and outputs of products of two units' contributions.

    x (groups, rows, units, n) and weight (groups, outputs, units, n), whose product over n is the
    contribution. Either from their second moments, Σ (xᵀx) (wᵀw), or, where that is more work, from
    the contributions themselves.
    """
    groups, rows, units, n = x.shape
    outputs, wide = weight.shape[1], units * n
    if wide * wide * (rows + outputs) <= rows * outputs * (units * units + wide):
        return from_moments(x, weight)
    block = max(1, BLOCK // (groups * units * outputs))
    return torch.stack([from_contributions(part, weight) for part in torch.split(x, block, 1)]).sum(
        0
    )


def from_moments(x: Tensor, weight: Tensor) -> Tensor:
    """`gram` by inputs' and weights' second moments."""
    groups, _, units, n = x.shape
    x, weight = x.flatten(2), weight.flatten(2)
    both = (x.mT @ x).mul_(weight.mT @ weight)
    return both.view(groups, units, n, units, n).sum((0, 2, 4))


def from_contributions(x: Tensor, weight: Tensor) -> Tensor:
    """`gram` by its definition."""
    found = torch.einsum("grun,goun->ugro", x, weight).flatten(1)
    return found @ found.mT
