"""Steps in which channels scale each other: gates, masks, attention."""

from __future__ import annotations

from random import Random
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from prunetune.models.vit import Attention
from tests.compress.random_networks.kinds import (
    WIDTHS,
    Applied,
    Maps,
    Params,
    divisors,
    kind,
    maps_of,
    tokens,
)

SQUASHES: dict[str, Any] = {
    "sigmoid": torch.sigmoid, "hard": F.hardsigmoid, "tanh": torch.tanh,
    "softmax": lambda x: x.softmax(1),
}  # fmt: skip


def draw_squeeze(rng: Random, maps: Maps, depth: int) -> Params:
    return {"inside": rng.choice([1, 2, 4]), "linear": rng.random() < 0.4,
            "squash": rng.choice(["sigmoid", "sigmoid", *SQUASHES])}  # fmt: skip


@kind("squeeze and excite", 2, draw_squeeze)
def squeeze(maps: Maps, inside: int, linear: bool, squash: str) -> nn.Module:
    c = maps[0]
    if linear:
        down, up = nn.Linear(c, inside), nn.Linear(inside, c)
        return Applied(
            lambda m, x: (
                x * SQUASHES[squash](m.up(torch.relu(m.down(x.mean((2, 3))))))[..., None, None]
            ),
            down=down,
            up=up,
        )
    return Applied(
        lambda m, x: SQUASHES[squash](m.up(F.silu(m.down(F.adaptive_avg_pool2d(x, 1))))) * x,
        down=nn.Conv2d(c, inside, 1), up=nn.Conv2d(inside, c, 1),
    )  # fmt: skip


def halves_gate(m: Any, x: Tensor) -> Tensor:
    y = m.conv(x)
    if m.way == "glu":
        return F.glu(y, 1)
    a, b = y.chunk(2, 1) if m.way == "chunk" else (y[:, : m.out], y[:, m.out :])
    return a * F.silu(b)


def draw_gated(rng: Random, maps: Maps, depth: int) -> Params:
    return {"out": rng.choice(WIDTHS), "way": rng.choice(["glu", "chunk", "slices"])}


@kind("gated linear unit", 1.5, draw_gated)
def gated(maps: Maps, out: int, way: str) -> nn.Module:
    module = Applied(halves_gate, conv=nn.Conv2d(maps[0], 2 * out, 3, padding=1))
    module.way, module.out = way, out
    return module


@kind("two factors", 1, lambda rng, maps, depth: {"out": rng.choice(WIDTHS)})
def two_factors(maps: Maps, out: int) -> nn.Module:
    """Two layers of one width whose outputs are multiplied, as in gated MLPs."""
    return Applied(
        lambda m, x: m.a(x) * F.silu(m.b(x)),
        a=nn.Conv2d(maps[0], out, 1), b=nn.Conv2d(maps[0], out, 1),
    )  # fmt: skip


MASKS: dict[str, Any] = {
    "one channel": lambda m, x: torch.sigmoid(m.mask(x)) * x,
    "behind": lambda m, x: x * torch.sigmoid(m.mask(x)),
    "of one's own": lambda m, x: m.value(x) * torch.sigmoid(m.mask(x)),
    "added": lambda m, x: m.value(x) + m.mask(x),
    "as wide": lambda m, x: x * torch.sigmoid(m.mask(x).expand_as(x)),
}


def draw_mask(rng: Random, maps: Maps, depth: int) -> Params:
    return {"way": rng.choice(list(MASKS)), "norm": rng.random() < 0.5}


@kind("spatial mask", 1.5, draw_mask)
def mask(maps: Maps, way: str, norm: bool) -> nn.Module:
    c = maps[0]
    one: nn.Module = nn.Conv2d(c, 1, 1)
    if norm:
        one = nn.Sequential(nn.Conv2d(c, 1, 3, padding=1, bias=False), nn.BatchNorm2d(1))
    own = way in ("of one's own", "added")
    return Applied(MASKS[way], mask=one, value=nn.Conv2d(c, c, 1) if own else nn.Identity())


def cbam(m: Any, x: Tensor) -> Tensor:
    x = x * torch.sigmoid(m.mlp(x.mean((2, 3), True)) + m.mlp(x.amax((2, 3), True)))
    if not m.spatial:
        return x
    return x * torch.sigmoid(m.mask(torch.cat([x.mean(1, True), x.amax(1, True)], 1)))


@kind("cbam", 1, lambda rng, maps, depth: {"spatial": rng.random() < 0.6})
def cbam_of(maps: Maps, spatial: bool) -> nn.Module:
    c = maps[0]
    mlp = nn.Sequential(nn.Conv2d(c, 2, 1), nn.ReLU(), nn.Conv2d(2, c, 1))
    module = Applied(
        cbam, mlp=mlp, mask=nn.Conv2d(2, 1, 3, padding=1) if spatial else nn.Identity()
    )
    module.spatial = spatial
    return module


@kind("channels in a row", 0.4)
def eca(maps: Maps) -> nn.Module:
    """ECA: a convolution that runs along the channels."""
    return Applied(
        lambda m, x: x * torch.sigmoid(m.conv(x.mean((2, 3))[:, None]))[:, 0, :, None, None],
        conv=nn.Conv1d(1, 1, 3, padding=1),
    )  # fmt: skip


def selective(m: Any, x: Tensor) -> Tensor:
    both = torch.stack([m.a(x), m.b(x)], 1)
    scores = m.up(torch.relu(m.down(both.sum(1).mean((2, 3))))).unflatten(1, (2, -1)).softmax(1)
    return (both * scores[..., None, None]).sum(1)


@kind("selective", 0.5, lambda rng, maps, depth: {"out": rng.choice(WIDTHS)})
def selective_of(maps: Maps, out: int) -> nn.Module:
    """SKNet: a softmax over two branches."""
    c = maps[0]
    return Applied(
        selective, a=nn.Conv2d(c, out, 1), b=nn.Conv2d(c, out, 3, padding=1),
        down=nn.Linear(out, 2), up=nn.Linear(2, 2 * out),
    )  # fmt: skip


def context(m: Any, x: Tensor) -> Tensor:
    weights = m.key(x).flatten(2).softmax(2)
    pooled = (x.flatten(2) @ weights.transpose(1, 2))[..., None]
    return x + m.mix(pooled)


@kind("global context", 0.5)
def context_of(maps: Maps) -> nn.Module:
    return Applied(context, key=nn.Conv2d(maps[0], 1, 1), mix=nn.Conv2d(maps[0], maps[0], 1))


def by_hand(m: Any, x: Tensor) -> Tensor:
    t = m.norm(tokens(x))
    if m.split:
        q, k, v = (
            layer(t).unflatten(2, (m.heads, -1)).transpose(1, 2) for layer in (m.q, m.k, m.v)
        )
    else:
        q, k, v = m.qkv(t).unflatten(2, (3, m.heads, -1)).permute(2, 0, 3, 1, 4)
    if m.fused:
        y = F.scaled_dot_product_attention(q, k, v)
    else:
        y = (q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5).softmax(-1) @ v
    return x + maps_of(m.out(y.transpose(1, 2).flatten(2)), x)


def draw_attention(rng: Random, maps: Maps, depth: int) -> Params:
    return {
        "heads": rng.choice(divisors(maps[0])),
        "fused": rng.random() < 0.5,
        "split": rng.random() < 0.5,
    }


@kind("attention by hand", 1, draw_attention)
def attention(maps: Maps, heads: int, fused: bool, split: bool) -> nn.Module:
    c = maps[0]
    layers: dict[str, nn.Module] = {"norm": nn.LayerNorm(c), "out": nn.Linear(c, c)}
    layers |= {n: nn.Linear(c, c) for n in "qkv"} if split else {"qkv": nn.Linear(c, 3 * c)}
    module = Applied(by_hand, **layers)
    module.heads, module.fused, module.split = heads, fused, split
    return module


@kind("multi-head attention", 1, lambda rng, maps, depth: {"heads": rng.choice(divisors(maps[0]))})
def multi_head(maps: Maps, heads: int) -> nn.Module:
    layer = nn.MultiheadAttention(maps[0], heads, batch_first=True)
    return Applied(lambda m, x: x + maps_of(m.attn(*[tokens(x)] * 3)[0], x), attn=layer)


@kind("declared attention", 1, lambda rng, maps, depth: {"heads": rng.choice(divisors(maps[0]))})
def declared(maps: Maps, heads: int) -> nn.Module:
    """Attention that declares its heads as units."""
    return Applied(
        lambda m, x: x + maps_of(m.attn(m.norm(tokens(x))), x),
        norm=nn.LayerNorm(maps[0]), attn=Attention(maps[0], heads),
    )  # fmt: skip


@kind(
    "mlp over tokens",
    1,
    lambda rng, maps, depth: {"inside": rng.choice(WIDTHS), "norm": rng.random() < 0.7},
)
def mlp(maps: Maps, inside: int, norm: bool) -> nn.Module:
    c = maps[0]
    return Applied(
        lambda m, x: x + maps_of(m.b(F.gelu(m.a(m.norm(tokens(x))))), x),
        norm=nn.LayerNorm(c) if norm else nn.Identity(),
        a=nn.Linear(c, inside), b=nn.Linear(inside, c),
    )  # fmt: skip
