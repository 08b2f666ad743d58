"""Steps that part channels, join them, or change their order; some have steps of their own."""

from __future__ import annotations

from random import Random
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.compress.random_networks.drawing import built, drawn, shape_after
from tests.compress.random_networks.kinds import Applied, Maps, Params, divisors, kind

JOINS: dict[str, Any] = {
    "sum": lambda a, b: a + b, "added": torch.add, "in place": lambda a, b: a.clone().add_(b),
    "difference": lambda a, b: a - b, "product": lambda a, b: a * b, "larger": torch.maximum,
    "mean": lambda a, b: torch.stack([a, b]).mean(0), "blend": lambda a, b: torch.lerp(a, b, 0.3),
}  # fmt: skip


class Fit(nn.Module):
    """Brings maps to a shape: by a pointwise convolution where widths differ, and by pooling."""

    def __init__(self, here: Maps, there: Maps) -> None:
        super().__init__()
        self.size = there[1:] if here[1:] != there[1:] else None
        self.conv = nn.Conv2d(here[0], there[0], 1) if here[0] != there[0] else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        return y if self.size is None else F.adaptive_avg_pool2d(y, self.size)


def inner(rng: Random, maps: Maps, depth: int, most: int = 3) -> list[Any]:
    return drawn(rng, maps, depth - 1, rng.randint(1, most))


def draw_residual(rng: Random, maps: Maps, depth: int) -> Params | None:
    if depth < 1:
        return None
    return {"steps": inner(rng, maps, depth), "join": rng.choice(["sum"] * 6 + list(JOINS)),
            "relu": rng.random() < 0.5}  # fmt: skip


@kind("residual", 4, draw_residual)
def residual(maps: Maps, steps: list[Any], join: str, relu: bool) -> nn.Module:
    body, shape = built(maps, steps), shape_after(maps, steps)
    return Applied(
        lambda m, x: m.act(JOINS[join](x, m.fit(m.body(x)))),
        body=body, fit=Fit(shape, maps), act=nn.ReLU() if relu else nn.Identity(),
    )  # fmt: skip


def draw_branches(rng: Random, maps: Maps, depth: int) -> Params | None:
    if depth < 1:
        return None
    parts = [inner(rng, maps, depth, 2) for _ in range(rng.choice([2, 2, 3]))]
    if rng.random() < 0.3:
        parts[-1] = []
    join = rng.choice(["side by side"] * 5 + ["sum"] * 3 + list(JOINS))
    return {"parts": parts, "join": join, "norm": rng.random() < 0.5}


@kind("branches", 3, draw_branches)
def branches(maps: Maps, parts: list[list[Any]], join: str, norm: bool) -> nn.Module:
    shapes = [shape_after(maps, steps) for steps in parts]
    first, beside = shapes[0], join == "side by side"
    fits = [Fit(s, (s[0] if beside else first[0], *first[1:])) for s in shapes]
    width = sum(s[0] for s in shapes) if beside else first[0]

    def forward(m: Any, x: Tensor) -> Tensor:
        results = [fit(part(x)) for part, fit in zip(m.parts, m.fits, strict=True)]
        if beside:
            y = torch.cat(results, 1)
        else:
            y = results[0]
            for result in results[1:]:
                y = JOINS[join](y, result)
        normed: Tensor = m.norm(y)
        return normed

    return Applied(
        forward, fits=nn.ModuleList(fits), parts=nn.ModuleList(built(maps, s) for s in parts),
        norm=nn.BatchNorm2d(width) if norm else nn.Identity(),
    )  # fmt: skip


def draw_dense(rng: Random, maps: Maps, depth: int) -> Params:
    return {"growth": rng.choice([2, 3, 4]), "layers": rng.choice([1, 2, 3])}


@kind("dense", 1, draw_dense)
def dense(maps: Maps, growth: int, layers: int) -> nn.Module:
    """Each layer reads all maps before it, as in DenseNet."""
    c = maps[0]
    convs = [
        nn.Sequential(
            nn.BatchNorm2d(c + i * growth),
            nn.ReLU(),
            nn.Conv2d(c + i * growth, growth, 3, padding=1),
        )
        for i in range(layers)
    ]

    def forward(m: Any, x: Tensor) -> Tensor:
        for layer in m.layers:
            x = torch.cat([x, layer(x)], 1)
        return x

    return Applied(forward, layers=nn.ModuleList(convs))


PARTINGS = ("chunk", "split", "slices", "index", "unflattened", "tensor_split")


def draw_parts(rng: Random, maps: Maps, depth: int) -> Params | None:
    c = maps[0]
    if depth < 1 or c < 2:
        return None
    way = rng.choice(PARTINGS)
    at = c // 2 if way in ("chunk", "unflattened") else rng.randint(1, c - 1)
    if way in ("chunk", "unflattened") and c % 2:
        return None
    steps = [inner(rng, (n, *maps[1:]), depth, 2) for n in (at, c - at)]
    for i in (0, 1):
        if rng.random() < 0.4:
            steps[i] = []
    joins = ["side by side"] * 4 + ["swapped"] * 2 + ["first", "second", "sum", "product"]
    return {"way": way, "at": at, "steps": steps, "join": rng.choice(joins)}


@kind("parts", 3, draw_parts)
def parts(maps: Maps, way: str, at: int, steps: list[list[Any]], join: str) -> nn.Module:
    """Two parts of the channels, each with steps of its own."""
    shapes = [
        shape_after((n, *maps[1:]), s) for n, s in zip((at, maps[0] - at), steps, strict=True)
    ]
    same = join in JOINS
    fit = Fit(shapes[1], (shapes[0][0] if same else shapes[1][0], *shapes[0][1:]))

    def forward(m: Any, x: Tensor) -> Tensor:
        a, b = parted(x, way, at)
        a, b = m.first(a), m.fit(m.second(b))
        if same:
            joined: Tensor = JOINS[join](a, b)
            return joined
        return {"side by side": torch.cat([a, b], 1), "swapped": torch.cat([b, a], 1),
                "first": a, "second": b}[join]  # fmt: skip

    return Applied(
        forward, first=built((at, *maps[1:]), steps[0]),
        second=built((maps[0] - at, *maps[1:]), steps[1]), fit=fit,
    )  # fmt: skip


def parted(x: Tensor, way: str, at: int) -> tuple[Tensor, Tensor]:
    rest = x.shape[1] - at
    if way == "chunk":
        a, b = x.chunk(2, 1)
    elif way == "split":
        a, b = x.split([at, rest], 1)
    elif way == "unflattened":
        a, b = x.unflatten(1, (2, at)).unbind(1)
    elif way == "tensor_split":
        a, b = x.tensor_split([at], 1)
    elif way == "index":
        a, b = x[:, list(range(at))], x.index_select(1, torch.arange(at, at + rest))
    else:
        a, b = x[:, :at], x[:, at:]
    return a, b


ORDERS: dict[str, Any] = {
    "reversed": lambda m, x: x.flip(1), "rolled": lambda m, x: x.roll(1, 1),
    "listed": lambda m, x: x[:, m.order], "gathered": lambda m, x: x.index_select(1, m.order),
    "shuffled": lambda m, x: x.unflatten(1, (m.by, -1)).transpose(1, 2).flatten(1, 2),
    "viewed": lambda m, x: (
        x.view(len(x), m.by, -1, *x.shape[2:]).transpose(1, 2).reshape(x.shape).contiguous()
    ),
    "every second": lambda m, x: x[:, ::2], "repeated": lambda m, x: x.repeat(1, 2, 1, 1),
    "each twice": lambda m, x: x.repeat_interleave(2, 1),
    "wider": lambda m, x: F.pad(x, (0, 0, 0, 0, 1, 2)),
    "to positions": lambda m, x: x.reshape(len(x), -1, 2 * x.shape[2], x.shape[3]),
    "from positions": lambda m, x: x.reshape(len(x), 2 * x.shape[1], -1, x.shape[3]),
    "joined twice": lambda m, x: torch.cat([x, x.relu()], 1),
    "torch's shuffle": lambda m, x: F.channel_shuffle(x, m.by),
}  # fmt: skip


def draw_order(rng: Random, maps: Maps, depth: int) -> Params:
    order = list(range(maps[0]))
    rng.shuffle(order)
    return {"name": rng.choice(list(ORDERS)), "by": rng.choice(divisors(maps[0])), "order": order}


@kind("order", 2.5, draw_order)
def order(maps: Maps, name: str, by: int, order: list[int]) -> nn.Module:
    module = Applied(ORDERS[name])
    module.by = by
    module.register_buffer("order", torch.tensor([i for i in order if i < maps[0]]))
    return module


@kind("pixel shuffle", 1, lambda rng, maps, depth: {"up": maps[0] % 4 == 0})
def pixel_shuffle(maps: Maps, up: bool) -> nn.Module:
    return nn.PixelShuffle(2) if up else nn.PixelUnshuffle(2)
