"""Small real networks with made-up images, for the suites to try a part on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from prunetune.compress.budget.costs import CostTable
from prunetune.compress.graph.groups import Group, prunable_groups
from prunetune.compress.network.rebuild import architecture_of, fresh
from prunetune.config.parts import Named
from prunetune.protocols import Batches, Shape
from prunetune.records.architecture import Architecture
from prunetune.registry import models


@dataclass(frozen=True, eq=False)
class Network:
    """A registered network of a size that a test can afford, its groups found once."""

    name: str
    params: Mapping[str, Any] = field(default_factory=dict)
    input_shape: Shape = (3, 16, 16)
    classes: int = 4

    def __str__(self) -> str:
        told = ", ".join(f"{key}={value}" for key, value in self.params.items())
        return f"{self.name}({told})" if told else self.name

    @cached_property
    def architecture(self) -> Architecture:
        """The network as data, its table of layers included."""
        family, params = models.checked(Named(name=self.name, params=dict(self.params)))
        with torch.device("meta"):
            model = family.build(params, self.classes, self.input_shape)
        stated = params.model_dump(mode="json", exclude_defaults=True)
        return architecture_of(model, self.name, stated, self.classes, self.input_shape)

    @cached_property
    def model(self) -> nn.Module:
        """The network as if it had been trained: see `lived_in`. Not to be changed."""
        return lived_in(fresh(self.architecture, seed=0))

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """Its coupled groups, but for those that its family keeps whole."""
        return prunable_groups(self.model, self.architecture)

    def costs(self, groups: tuple[Group, ...]) -> CostTable:
        """Its MACs as a function of the widths of `groups`."""
        return CostTable.measure(self.model, self.input_shape, groups)

    def batches(self, images: int, chunk: int) -> Batches:
        """`batches(n)`: up to n of so many made-up images, `chunk` at a time, always the same."""
        x = torch.randn(images, *self.input_shape, generator=seeded(7))
        y = torch.randint(self.classes, (images,), generator=seeded(8))

        def batches(n: int) -> Iterator[tuple[Tensor, Tensor]]:
            return zip(torch.split(x[:n], chunk), torch.split(y[:n], chunk), strict=True)

        return batches


@torch.no_grad()
def lived_in(model: nn.Module, seed: int = 0) -> nn.Module:
    """The same model with no scale, shift, bias or running statistic that is still trivial."""
    generator = seeded(seed)
    for layer in model.modules():
        if isinstance(layer, _BatchNorm | nn.LayerNorm) and layer.weight is not None:
            layer.weight.uniform_(0.5, 1.5, generator=generator)
            layer.bias.normal_(0, 0.3, generator=generator)
        elif isinstance(layer, nn.Linear | nn.Conv2d) and layer.bias is not None:
            layer.bias.normal_(0, 0.1, generator=generator)
        if isinstance(layer, _BatchNorm) and layer.running_mean is not None:
            assert layer.running_var is not None
            layer.running_mean.normal_(0, 0.3, generator=generator)
            layer.running_var.uniform_(0.5, 1.5, generator=generator)
    return model


def seeded(seed: int) -> torch.Generator:
    """A generator on the CPU."""
    return torch.Generator().manual_seed(seed)


RESIDUAL = Network("resnet14")
PADDED = Network("resnet14", {"shortcut": "A"})
NETWORKS = (RESIDUAL, PADDED)
"""What a suite tries a part on unless it is told otherwise."""
