"""Small registered networks with made-up images, on which the suites try a part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from prunetune.compress.budget.costs import CostTable
from prunetune.compress.graph.groups import Group
from prunetune.compress.network.rebuild import architecture_of, fresh
from prunetune.compress.proof.proved_groups import prunable_groups
from prunetune.config.parts import Named
from prunetune.protocols import Batch, Batches, Shape
from prunetune.records.architecture import Architecture
from prunetune.registry import models

CPU = torch.device("cpu")
TOLERANCE = 0.005
"""How far below a budget the MACs of a network may lie, as a share of the budget."""


@dataclass(frozen=True, eq=False)
class Network:
    """A registered network, small enough for a test; everything about it is computed once."""

    name: str
    params: Mapping[str, Any] = field(default_factory=dict)
    input_shape: Shape = (3, 16, 16)
    classes: int = 4

    def __str__(self) -> str:
        params = ", ".join(f"{key}={value}" for key, value in self.params.items())
        return f"{self.name}({params})" if params else self.name

    @cached_property
    def architecture(self) -> Architecture:
        """The network as data, with its table of layers."""
        family, params = models.checked(Named(name=self.name, params=dict(self.params)))
        with torch.device("meta"):
            model = family.build(params, self.classes, self.input_shape)
        stated = params.model_dump(mode="json", exclude_defaults=True)
        return architecture_of(model, self.name, stated, self.classes, self.input_shape)

    @cached_property
    def model(self) -> nn.Module:
        """The network as if it were trained (see `as_if_trained`). Do not change it: copy it."""
        return as_if_trained(fresh(self.architecture, seed=0))

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """Its groups of coupled channels, without those that its family keeps whole."""
        return prunable_groups(self.model, self.architecture)

    def costs(self, groups: tuple[Group, ...]) -> CostTable:
        """The network's MACs as a function of the widths of `groups`."""
        return CostTable.measure(self.model, self.input_shape, groups)

    def batches(self, images: int, chunk: int) -> Batches:
        """`batches(n)` gives the first n of `images` random images, in chunks of `chunk`."""
        x = torch.randn(images, *self.input_shape, generator=seeded(7))
        y = torch.randint(self.classes, (images,), generator=seeded(8))

        def batches(n: int) -> Iterator[Batch]:
            return zip(torch.split(x[:n], chunk), torch.split(y[:n], chunk), strict=True)

        return batches


@torch.no_grad()
def as_if_trained(model: nn.Module, seed: int = 0) -> nn.Module:
    """The same model with random scales, shifts, biases and running statistics.

    A new network has 1 or 0 in all of these, which would hide mistakes.
    """
    generator = seeded(seed)
    for layer in model.modules():
        if isinstance(layer, _BatchNorm | nn.LayerNorm) and layer.weight is not None:
            layer.weight.uniform_(0.5, 1.5, generator=generator)
            layer.bias.normal_(0, 0.3, generator=generator)
        elif isinstance(layer, nn.Linear | _ConvNd) and layer.bias is not None:
            layer.bias.normal_(0, 0.1, generator=generator)
        if isinstance(layer, _BatchNorm) and layer.running_mean is not None:
            assert layer.running_var is not None
            layer.running_mean.normal_(0, 0.3, generator=generator)
            layer.running_var.uniform_(0.5, 1.5, generator=generator)
    return model


def reading_entries(layer: nn.Module, channel: int) -> Any:
    """The index of the entries of a layer's weight that read one input channel.

    A convolution with several groups reads a channel with the rows of one group only. Transposed
    convolutions have their input channels first.
    """
    return channel if getattr(layer, "transposed", False) else _in_its_group(layer, channel)


def writing_entries(layer: nn.Module, channel: int) -> Any:
    """The index of the entries of a layer's weight that write one output channel."""
    return _in_its_group(layer, channel) if getattr(layer, "transposed", False) else channel


def _in_its_group(layer: nn.Module, channel: int) -> tuple[slice, int]:
    """The rows of the convolution group of a channel, and its column."""
    weight, groups = layer.get_parameter("weight"), int(getattr(layer, "groups", 1))
    rows = len(weight) // groups
    group, column = divmod(channel, weight.shape[1])
    return slice(group * rows, (group + 1) * rows), column


def seeded(seed: int) -> torch.Generator:
    """A random generator on the CPU."""
    return torch.Generator().manual_seed(seed)


RESIDUAL = Network("resnet14")
PADDED = Network("resnet14", {"shortcut": "A"})
NETWORKS = (RESIDUAL, PADDED)
"""The networks on which a suite tries a part by default."""
