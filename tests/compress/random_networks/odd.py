"""Steps that few networks have: parameters outside layers, sums over channels, several paths."""

from __future__ import annotations

from random import Random
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.compress.random_networks.kinds import WIDTHS, Applied, Maps, Params, kind


class Weighted(nn.Module):
    """A function of feature maps and one parameter or buffer outside any layer."""

    def __init__(self, function: Any, tensor: Tensor) -> None:
        super().__init__()
        self.function, self.tensor = function, tensor
        if not isinstance(tensor, nn.Parameter):
            del self.tensor
            self.register_buffer("tensor", tensor)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.function(x, self.tensor)
        return result


OUTSIDE: dict[str, Any] = {
    "scale of a layer": (lambda x, w: x * w, lambda c: nn.Parameter(torch.rand(c, 1, 1))),
    "scale behind": (lambda x, w: w[:, None, None] * x, lambda c: nn.Parameter(torch.rand(c))),
    "one scale": (lambda x, w: x * w, lambda c: nn.Parameter(torch.rand(1))),
    "place": (lambda x, w: x + w, lambda c: nn.Parameter(torch.rand(1, c, 1, 1))),
    "constant": (lambda x, w: x * w, lambda c: torch.rand(1, c, 1, 1)),
    "mixed": (
        lambda x, w: torch.einsum("nchw,dc->ndhw", x, w), lambda c: nn.Parameter(torch.rand(c, c))
    ),
    "functional": (lambda x, w: F.conv2d(x, w), lambda c: nn.Parameter(torch.rand(4, c, 1, 1))),
    "functional mean": (lambda x, w: F.conv2d(x, w), lambda c: torch.ones(1, c, 1, 1) / c),
}  # fmt: skip


@kind("tensor outside", 1, lambda rng, maps, depth: {"name": rng.choice(list(OUTSIDE))})
def outside(maps: Maps, name: str) -> nn.Module:
    function, tensor = OUTSIDE[name]
    return Weighted(function, tensor(maps[0]))


ACROSS: dict[str, Any] = {
    "normalised": lambda m, x: F.normalize(x, dim=1), "softmax": lambda m, x: x.softmax(1),
    "less the mean": lambda m, x: x - x.mean(1, True), "sum": lambda m, x: x.sum(1, True),
    "mean": lambda m, x: x.mean(1, keepdim=True), "maximum": lambda m, x: x.amax(1, keepdim=True),
    "sums": lambda m, x: x.cumsum(1), "sorted": lambda m, x: x.sort(1).values,
    "response": lambda m, x: F.local_response_norm(x, 3),
    "gram": lambda m, x: (x.flatten(2) @ x.flatten(2).mT @ x.flatten(2) / 64).view(x.shape),
    "energy": lambda m, x: x * x.square().mean((1, 2, 3), True).add(1).rsqrt(),
    "difference": lambda m, x: F.pad(x[:, 1:] - x[:, :-1], (0, 0, 0, 0, 0, 1)),
    "widened": lambda m, x: x.mean(1, True).expand(-1, 3, -1, -1) + 0,
    "first": lambda m, x: x + x[:, :1],
}  # fmt: skip


@kind("across channels", 1, lambda rng, maps, depth: {"name": rng.choice(list(ACROSS))})
def across(maps: Maps, name: str) -> nn.Module:
    return Applied(ACROSS[name])


POINTWISE: dict[str, Any] = {
    "affine": lambda m, x: 2 * x + 1, "size": lambda m, x: x.abs(), "square": lambda m, x: x**2 / 4,
    "clipped": lambda m, x: x.clamp(-1, 1), "detached": lambda m, x: x.detach() + x,
    "chosen": lambda m, x: torch.where(x > 0, x, 0.1 * x),
    "wide": lambda m, x: x * x.mean((2, 3), True),
    "wave": lambda m, x: x.sin() + x.exp().log1p(),
    "casts": lambda m, x: x.to(x.dtype).contiguous(),
    "filled": lambda m, x: x.masked_fill(x < 0, 0.3),
}  # fmt: skip


@kind("pointwise", 1, lambda rng, maps, depth: {"name": rng.choice(list(POINTWISE))})
def pointwise(maps: Maps, name: str) -> nn.Module:
    return Applied(POINTWISE[name])


def two_ways(m: Any, x: Tensor) -> Tensor:
    if m.on == "training":
        return (m.a if m.training else m.b)(x)
    if m.on == "numbers":
        return m.a(x) if x.mean() > 0 else m.b(x)
    if m.on == "width":
        return m.a(x) if x.shape[1] > 3 else x.relu()
    y: Tensor = m.a(x)
    return y + m.b(x) if x.shape[-1] > 2 else y


def draw_ways(rng: Random, maps: Maps, depth: int) -> Params:
    return {"on": rng.choice(["training", "numbers", "width", "size"])}


@kind("path that depends", 0.3, draw_ways)
def ways(maps: Maps, on: str) -> nn.Module:
    module = Applied(two_ways, a=nn.Conv2d(maps[0], maps[0], 1), b=nn.Conv2d(maps[0], maps[0], 1))
    module.on = on
    return module


@kind("unused", 0.2, lambda rng, maps, depth: {"out": rng.choice(WIDTHS)})
def unused(maps: Maps, out: int) -> nn.Module:
    """A layer whose output goes nowhere, and one that is never called."""
    return Applied(
        lambda m, x: (m.here(x), x)[1],
        here=nn.Conv2d(maps[0], out, 1),
        never=nn.Conv2d(maps[0], out, 1),
    )


def fixed_view(m: Any, x: Tensor) -> Tensor:
    return x.reshape(len(x), m.c, -1).reshape(len(x), m.c, *x.shape[2:])


@kind("numbers in the code", 0.5)
def fixed(maps: Maps) -> nn.Module:
    """A reshape that states the number of channels, which fails in a narrower network."""
    module = Applied(fixed_view)
    module.c = maps[0]
    return module
