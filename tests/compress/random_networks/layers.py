"""Steps of one or a few layers, one behind the other."""

from __future__ import annotations

from math import gcd
from random import Random
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from tests.compress.random_networks.kinds import (
    WIDTHS,
    Applied,
    Maps,
    divisors,
    kind,
    maps_of,
    tokens,
)

ACTIVATIONS: dict[str, Any] = {
    "relu": nn.ReLU, "relu in place": lambda: nn.ReLU(inplace=True), "relu6": nn.ReLU6,
    "silu": nn.SiLU, "gelu": nn.GELU, "hardswish": nn.Hardswish, "leaky": nn.LeakyReLU,
    "sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "prelu": nn.PReLU, "softplus": nn.Softplus,
    "dropout": nn.Dropout, "identity": nn.Identity,
}  # fmt: skip
KERNELS = [[1, 1], [1, 1], [3, 3], [3, 3], [3, 3], [3, 1], [1, 3], [2, 2]]


def draw_conv(rng: Random, maps: Maps, depth: int) -> dict[str, Any]:
    out, kernel = rng.choice(WIDTHS), rng.choice(KERNELS)
    groups = rng.choice([1, 1, 1, *divisors(gcd(maps[0], out))])
    strided = min(maps[1:]) > 3 and rng.random() < 0.25
    return {
        "out": out, "kernel": kernel, "groups": groups, "stride": 2 if strided else 1,
        "bias": rng.random() < 0.5, "mode": rng.choice(["zeros"] * 4 + ["circular", "replicate"]),
    }  # fmt: skip


@kind("conv", 4, draw_conv)
def conv(maps: Maps, out: int, kernel: Any = (1, 1), groups: int = 1, stride: int = 1,
         bias: bool = True, mode: str = "zeros") -> nn.Module:  # fmt: skip
    padding = [k // 2 for k in kernel]
    return nn.Conv2d(
        maps[0], out, tuple(kernel), stride, padding, groups=groups, bias=bias, padding_mode=mode
    )


def draw_norm(rng: Random, maps: Maps, depth: int) -> dict[str, Any]:
    names = ["batch"] * 8 + [
        "bare batch",
        "batch of the moment",
        "group",
        "instance",
        "layer",
        "maps",
    ]
    return {"name": rng.choice(names), "groups": rng.choice(divisors(maps[0]))}


@kind("norm", 3, draw_norm)
def norm(maps: Maps, name: str, groups: int = 1) -> nn.Module:
    c = maps[0]
    if name == "layer":
        return Applied(
            lambda m, x: m.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2), norm=nn.LayerNorm(c)
        )
    made: dict[str, nn.Module] = {
        "batch": nn.BatchNorm2d(c),
        "bare batch": nn.BatchNorm2d(c, affine=False),
        "batch of the moment": nn.BatchNorm2d(c, track_running_stats=False),
        "group": nn.GroupNorm(groups, c),
        "instance": nn.InstanceNorm2d(c, affine=groups > 1),
        "maps": nn.LayerNorm(list(maps)),
    }
    return made[name]


@kind("activation", 2, lambda rng, maps, depth: {"name": rng.choice(list(ACTIVATIONS))})
def activation(maps: Maps, name: str) -> nn.Module:
    module: nn.Module = ACTIVATIONS[name]()
    return module


@kind("channelwise prelu", 0.3)
def channelwise_prelu(maps: Maps) -> nn.Module:
    return nn.PReLU(maps[0])


def draw_block(rng: Random, maps: Maps, depth: int) -> dict[str, Any]:
    return {**draw_conv(rng, maps, depth), "act": rng.choice(["relu", "silu", "relu in place"])}


@kind("block", 8, draw_block)
def block(maps: Maps, act: str, **params: Any) -> nn.Module:
    layers = [conv(maps, **params), nn.BatchNorm2d(params["out"]), activation(maps, act)]
    return nn.Sequential(*layers)


def draw_depthwise(rng: Random, maps: Maps, depth: int) -> dict[str, Any]:
    return {"times": rng.choice([1, 1, 1, 2]), "bias": rng.random() < 0.5}


@kind("depthwise", 2, draw_depthwise)
def depthwise(maps: Maps, times: int, bias: bool) -> nn.Module:
    return nn.Conv2d(maps[0], times * maps[0], 3, padding=1, groups=maps[0], bias=bias)


@kind("separable", 1, lambda rng, maps, depth: {"out": rng.choice(WIDTHS)})
def separable(maps: Maps, out: int) -> nn.Module:
    deep = nn.Conv2d(maps[0], maps[0], 3, padding=1, groups=maps[0], bias=False)
    return nn.Sequential(
        deep, nn.BatchNorm2d(maps[0]), nn.ReLU6(), nn.Conv2d(maps[0], out, 1), nn.BatchNorm2d(out)
    )


def draw_transposed(rng: Random, maps: Maps, depth: int) -> dict[str, Any] | None:
    out, stride = rng.choice([*WIDTHS, maps[0]]), rng.choice([1, 2])
    kernel, groups = rng.choice([1, 2, 3]), rng.choice([1, 1, *divisors(gcd(maps[0], out))])
    return {
        "out": out, "kernel": kernel, "stride": stride, "groups": groups,
        "padding": rng.choice([0, kernel // 2]), "more": rng.choice([0, stride - 1]),
        "bias": rng.random() < 0.5,
    }  # fmt: skip


@kind("transposed", 2, draw_transposed)
def transposed(maps: Maps, out: int, kernel: int, stride: int, groups: int, padding: int, more: int,
               bias: bool) -> nn.Module:  # fmt: skip
    return nn.ConvTranspose2d(maps[0], out, kernel, stride, padding, more, groups, bias)


POOLS: dict[str, Any] = {
    "max": lambda: nn.MaxPool2d(2), "mean": lambda: nn.AvgPool2d(2),
    "adaptive": lambda: nn.AdaptiveAvgPool2d(2), "max of three": lambda: nn.MaxPool2d(3, 1, 1),
    "larger": lambda: nn.Upsample(scale_factor=2),
    "smooth": lambda: Applied(lambda m, x: F.interpolate(x, scale_factor=2, mode="bilinear")),
    "turned": lambda: Applied(lambda m, x: x.transpose(2, 3).contiguous()),
    "cropped": lambda: Applied(lambda m, x: x[:, :, 1:, :-1]),
    "padded": lambda: Applied(lambda m, x: F.pad(x, (1, 0, 0, 1))),
}  # fmt: skip


@kind("positions", 2, lambda rng, maps, depth: {"name": rng.choice(list(POOLS))})
def positions(maps: Maps, name: str) -> nn.Module:
    module: nn.Module = POOLS[name]()
    return module


@kind(
    "linear", 0.7, lambda rng, maps, depth: {"out": rng.choice(WIDTHS), "last": rng.random() < 0.5}
)
def linear(maps: Maps, out: int, last: bool) -> nn.Module:
    """A linear layer over tokens, or over maps with their channels last."""
    if last:
        return Applied(
            lambda m, x: m.fc(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2), fc=nn.Linear(maps[0], out)
        )
    return Applied(lambda m, x: maps_of(m.fc(tokens(x)), x), fc=nn.Linear(maps[0], out))


@kind(
    "other axes",
    0.5,
    lambda rng, maps, depth: {"out": rng.choice(WIDTHS), "axes": rng.choice([1, 3])},
)
def other_axes(maps: Maps, out: int, axes: int) -> nn.Module:
    if axes == 1:
        one = nn.Conv1d(maps[0], out, 3, padding=1)
        return Applied(lambda m, x: m.conv(x.flatten(2)).unflatten(2, x.shape[2:]), conv=one)
    three = nn.Conv3d(maps[0], out, (1, 3, 3), padding=(0, 1, 1))
    return Applied(lambda m, x: m.conv(x.unsqueeze(2)).squeeze(2), conv=three)


@kind(
    "weight norm",
    0.2,
    lambda rng, maps, depth: {"out": rng.choice(WIDTHS), "old": rng.random() < 0.5},
)
def weight_norm(maps: Maps, out: int, old: bool) -> nn.Module:
    layer = nn.Conv2d(maps[0], out, 3, padding=1)
    way = nn.utils.weight_norm if old else nn.utils.parametrizations.weight_norm
    normed: nn.Module = way(layer)
    return normed


@kind("twice", 0.4, lambda rng, maps, depth: {"norms": rng.random() < 0.5})
def twice(maps: Maps, norms: bool) -> nn.Module:
    """One convolution used twice, with or without norms of their own between."""
    c = maps[0]
    between = nn.BatchNorm2d(c) if norms else nn.Identity()
    return Applied(
        lambda m, x: m.conv(torch.relu(m.norm(m.conv(x)))),
        conv=nn.Conv2d(c, c, 3, padding=1),
        norm=between,
    )
