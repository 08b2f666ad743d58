"""Gram matrices of the contributions that a group's units make to the layers that read them.

A reader is a convolution or linear layer that has the units on its input side. A depthwise
convolution is no reader: it hands each channel on. At output position p the reader sums one
contribution x_pi per unit i: its patch of the input times its slice of the weights. Whatever is
kept, removed or scaled, the squared error of the output is a quadratic form of the contributions'
Gram matrix G_ij = Σ_p ⟨x_pi, x_pj⟩:

    Σ_p ‖Σ_i (1 - β_i) x_pi‖² = (1 - β)ᵀ G (1 - β)

So scoring keeps nothing but G, which is small and a sum over images. For a group with several
readers, each reader's G is divided by the energy of its output, Σ_p ‖y_p‖², and they are added.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from prunetune.compress.criterion import Scene
from prunetune.compress.graph.groups import Group, Member
from prunetune.compress.scoring.passes import passes
from prunetune.compress.scoring.positions import (
    Layer,
    PositionSample,
    SampleParams,
    draw_positions,
    kernel_weights,
)

_CONTRIBUTIONS_AT_ONCE = 2**24
"""Most elements of the contributions that are held at once."""


def readers(group: Group) -> list[Member]:
    """The members that have the units on their input side."""
    return [member for member in group.members if member.side == "in"]


def is_read(model: nn.Module, group: Group) -> bool:
    """Whether the group has readers, all of a kind whose inputs and outputs can be sampled."""
    layers = [model.get_submodule(member.layer) for member in readers(group)]
    return bool(layers) and all(isinstance(layer, Layer) for layer in layers)


def grams(scene: Scene, criterion: str, params: SampleParams) -> list[Tensor]:
    """Per group the Gram matrix (units, units) of its contributions, float64 on the CPU.

    Its elements add up to the error without any unit of the group. If the readers read nothing but
    the group, that is the number of readers.
    """
    sample = PositionSample(draw_positions(scene, params))
    sums = {member.layer: _GramSums() for group in scene.groups for member in readers(group)}
    with passes(scene, criterion, params.images, backward=False) as (model, chunks):
        for name, reader_sums in sums.items():
            hook = reader_sums.hook(sample, _groups_read(scene.groups, name))
            model.get_submodule(name).register_forward_hook(hook)
        sample.pass_through(model, chunks)
    totals = [torch.zeros(group.width, group.width, dtype=torch.float64) for group in scene.groups]
    for reader_sums in sums.values():
        for number, reader_gram in reader_sums.grams.items():
            if reader_sums.energy > 0:
                totals[number] += reader_gram.cpu() / reader_sums.energy
    return totals


def _groups_read(groups: Sequence[Group], layer: str) -> list[tuple[int, Tensor]]:
    """The numbers of the groups that a layer reads, each with its channels (units, channels)."""
    return [
        (number, torch.from_numpy(member.index))
        for number, group in enumerate(groups)
        for member in readers(group)
        if member.layer == layer
    ]


class _GramSums:
    """The sums of one reader over the images passed so far."""

    def __init__(self) -> None:
        self.energy = 0.0
        """Σ_p ‖y_p‖² of its output."""
        self.grams: dict[int, Tensor] = {}
        """Group number -> Gram matrix."""

    def hook(self, sample: PositionSample, groups_read: list[tuple[int, Tensor]]) -> Any:
        """A forward hook that adds the images being passed."""

        def hook(layer: Layer, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            x, weight = sample.inputs(layer, inputs[0]), kernel_weights(layer)
            self.energy += float(sample.outputs(layer, output).square().sum())
            for number, index in groups_read:
                channels = index.to(x.device)
                chunk_gram = gram(split_by_unit(x, channels), split_by_unit(weight, channels))
                self.grams[number] = self.grams.get(number, 0) + chunk_gram

        return hook


def split_by_unit(x: Tensor, index: Tensor) -> Tensor:
    """(groups, rows, channels, taps) -> (groups, rows, units, elements of a unit).

    `groups` are convolution groups. `index` (units, channels per unit) numbers the channels through
    all of them; a unit has equally many channels in each, in order.
    """
    groups, rows, channels, _ = x.shape
    local = (index.reshape(len(index), groups, -1) % channels).transpose(0, 1).flatten(1)
    each_group = torch.arange(groups, device=x.device)[:, None]
    return x[each_group, :, local].transpose(1, 2).reshape(groups, rows, len(index), -1)


def gram(x: Tensor, weight: Tensor) -> Tensor:
    """(units, units) products of two units' contributions, summed over rows and outputs.

    The contributions are the products over n of x (groups, rows, units, n) and weight (groups,
    outputs, units, n). Two ways give the same sum, and the one with less work is taken: from the
    second moments, Σ (xᵀx) (wᵀw), or from the contributions themselves.
    """
    groups, rows, units, n = x.shape
    outputs, elements = weight.shape[1], units * n
    moments_work = elements * elements * (rows + outputs)
    if moments_work <= rows * outputs * (units * units + elements):
        return gram_from_moments(x, weight)
    block = max(1, _CONTRIBUTIONS_AT_ONCE // (groups * units * outputs))
    parts = [gram_from_contributions(rows_x, weight) for rows_x in torch.split(x, block, 1)]
    return torch.stack(parts).sum(0)


def gram_from_moments(x: Tensor, weight: Tensor) -> Tensor:
    """`gram` from the second moments of inputs and weights."""
    groups, _, units, n = x.shape
    x, weight = x.flatten(2), weight.flatten(2)
    products = (x.mT @ x).mul_(weight.mT @ weight)
    return products.view(groups, units, n, units, n).sum((0, 2, 4))


def gram_from_contributions(x: Tensor, weight: Tensor) -> Tensor:
    """`gram` by its definition."""
    contributions = torch.einsum("grun,goun->ugro", x, weight).flatten(1)
    return contributions @ contributions.mT
