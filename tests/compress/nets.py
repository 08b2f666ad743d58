"""Networks and laws that the tests of this room share."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from prunetune.compress.budget.costs import count_macs
from prunetune.compress.method import Context, Target
from prunetune.compress.network.rebuild import architecture_of, fresh
from prunetune.records.architecture import Architecture
from prunetune.registry import models

SMALL: list[tuple[str, dict[str, object]]] = [
    ("wrn_10_2", {"widths": (16, 32, 64)}),
    ("cifar_vgg11_bn", {"widths": (8, 16, 16, 32, 32)}),
    ("densenet_bc_40", {"growth": 4}),
    ("mobilenet_v1", {"stem": "cifar", "widths": (8, 8, 16, 16, 32, 32)}),
    ("mobilenet_v2", {"stem": "cifar", "widths": (8, 8, 8, 12, 12, 16, 16, 32, 64)}),
    ("vit_tiny", {"patch": 16}),
]
"""One network of every family beyond ResNet, as small as it comes, for images of 32 x 32."""

BUDGETS = (0.7, 0.5, 0.39, 0.25, 0.125, 0.06, 0.05)
TOLERANCE = 0.005


def architecture(name: str, size: int = 32, **params: object) -> Architecture:
    """A registered network for 10 classes of square images, its table of layers included."""
    bare = Architecture(model=name, params=params, classes=10, input_shape=(3, size, size))
    with torch.device("meta"):
        entry = models.get(name)
        model = entry.part.build(entry.params(**params), 10, bare.input_shape)
    return architecture_of(model, name, params, 10, bare.input_shape)


def trained(network: Architecture, seed: int = 0) -> nn.Module:
    """A network whose batch norms have seen data: no scale, shift or statistic is trivial."""
    model = fresh(network, seed)
    generator = torch.Generator().manual_seed(seed)
    for layer in model.modules():
        if isinstance(layer, _BatchNorm):
            for tensor in (layer.weight.data, layer.running_var):
                assert tensor is not None
                tensor.uniform_(0.5, 1.5, generator=generator)
            for tensor in (layer.bias.data, layer.running_mean):
                assert tensor is not None
                tensor.normal_(0, 0.3, generator=generator)
    return model


def context(network: Architecture, share: float, dense: nn.Module | None = None) -> Context:
    model = trained(network) if dense is None else dense
    macs = count_macs(model, network.input_shape)
    return Context(
        architecture=network,
        target=Target(int(macs * share), macs, TOLERANCE),
        generator=torch.Generator().manual_seed(5),
        build=lambda found: fresh(found, 1),
        dense=model,
    )


def image(network: Architecture, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(9)
    return torch.randn(2, *network.input_shape, generator=generator, dtype=dtype)
