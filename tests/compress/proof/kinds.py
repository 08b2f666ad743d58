"""Small networks that join channels in ways that users of pruners report.

Each maps (N, 1, 8, 8) to 10 classes: stem (16 channels) -> body -> tail (32) -> head.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SHAPE = (1, 8, 8)
Step = Callable[["Body", Tensor], Tensor]


def block(inside: int, outside: int, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outside), nn.ReLU())


class Body(nn.Module):
    """Layers by name, and a function of them."""

    def __init__(self, step: Step, **layers: nn.Module | Tensor) -> None:
        super().__init__()
        self.step = step
        for name, layer in layers.items():
            if isinstance(layer, nn.Module | nn.Parameter):
                setattr(self, name, layer)
            else:
                self.register_buffer(name, layer)

    def forward(self, x: Tensor) -> Tensor:
        return self.step(self, x)


class Network(nn.Module):
    def __init__(self, body: nn.Module, width: int = 16) -> None:
        super().__init__()
        self.stem, self.body = block(1, 16), body
        self.tail, self.head = block(width, 32), nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.tail(self.body(self.stem(x))).mean((2, 3)))
        return out


def inner(step: Step, width: int = 16, **layers: nn.Module | Tensor) -> Body:
    return Body(step, inner=block(16, width), **layers)


def conv() -> nn.Conv2d:
    return nn.Conv2d(16, 16, 3, padding=1)


def one(layer: nn.Module) -> Body:
    return Body(lambda b, x: b.inner(x), inner=layer)


def _excited(body: Body, x: Tensor) -> Tensor:
    y: Tensor = body.inner(x)
    squeezed = F.relu(body.down(y.mean((2, 3), True)))
    return y * torch.sigmoid(body.up(squeezed))


def _through_dimensions(body: Body, x: Tensor) -> Tensor:
    y = body.one(x.flatten(2)).unflatten(2, (2, 4, 8))
    out: Tensor = body.three(F.relu(y)).flatten(2, 3)
    return out


def _pairs(y: Tensor) -> Tensor:
    n, c, h, w = y.shape
    return y.view(n, c // 2, 2, h, w)


def _shuffled(y: Tensor) -> Tensor:
    n, c, h, w = y.shape
    return y.view(n, 4, c // 4, h, w).transpose(1, 2).reshape(n, c, h, w)


def _swapped(y: Tensor) -> Tensor:
    a, b = y.chunk(2, 1)
    return torch.cat([b, a], 1)


def _attention(y: Tensor) -> Tensor:
    """The statistics of CBAM: mean and maximum over the channels."""
    return torch.cat([y.mean(1, True), y.amax(1, True)], 1)


def _spatial_gate(body: Body, x: Tensor) -> Tensor:
    y = body.inner(x)
    return torch.mul(y, torch.sigmoid(body.mask(_attention(y))))


def _if_bright(body: Body, x: Tensor) -> Tensor:
    y: Tensor = body.inner(x)
    return x + (y if y.mean() > 0.4 else y.flip(1))


def _if_training(body: Body, x: Tensor) -> Tensor:
    y: Tensor = body.inner(x)
    return x + (y.flip(1) if body.training else y)


def _by_hand(body: Body, x: Tensor) -> Tensor:
    return F.conv2d(x, body.inner[0].weight, padding=1)


def _tied() -> Body:
    body = Body(lambda b, x: b.second(F.relu(b.first(x))), first=conv(), second=conv())
    body.second.weight = body.first.weight
    return body


RIGHT = ("stem.0", "tail.0")
ALL = ("stem.0", "body.inner.0", "tail.0")


def networks() -> dict[str, tuple[Network, tuple[str, ...]]]:
    """Kind -> the network and the groups whose cuts are right."""
    last = ("tail.0",)
    kinds: dict[str, tuple[nn.Module, tuple[str, ...]]] = {
        # channels in another order
        "flip": (inner(lambda b, x: x + b.inner(x).flip(1)), last),
        "flip before a reader": (inner(lambda b, x: b.inner(x).flip(1)), RIGHT),
        "roll": (inner(lambda b, x: x + b.inner(x).roll(3, 1)), last),
        "shuffle": (inner(lambda b, x: x + _shuffled(b.inner(x))), last),
        "swap": (inner(lambda b, x: x + _swapped(b.inner(x))), last),
        "buffer of places": (
            inner(lambda b, x: x + b.inner(x)[:, b.order], order=torch.arange(15, -1, -1)), last),
        "index_select": (
            inner(lambda b, x: x + b.inner(x).index_select(1, torch.arange(15, -1, -1))), last),
        "sorted by the image": (
            inner(lambda b, x: b.inner(x).gather(1, b.inner(x).argsort(1))), RIGHT),
        "matrix of places": (
            inner(lambda b, x: torch.einsum("nchw,cd->ndhw", b.inner(x), b.p), p=torch.eye(16)),
            RIGHT),
        # channels that become others
        "glu": (Body(lambda b, x: F.glu(b.inner(x), 1), inner=nn.Conv2d(16, 32, 3, padding=1)),
                RIGHT),
        "pairs": (inner(lambda b, x: _pairs(b.inner(x)).sum(2), 32), ALL),
        "groups of a maximum": (inner(lambda b, x: _pairs(b.inner(x)).amax(2), 32), ALL),
        "repeat_interleave": (inner(lambda b, x: b.inner(x).repeat_interleave(2, 1), 8), RIGHT),
        "repeat": (inner(lambda b, x: b.inner(x).repeat(1, 2, 1, 1), 8), RIGHT),
        "unfold": (
            inner(lambda b, x: F.fold(F.unfold(b.inner(x), 3, padding=1), (8, 8), 3, padding=1)),
            ALL),
        # gates
        "mask": (
            inner(lambda b, x: torch.sigmoid(b.mask(x)) * b.inner(x), mask=nn.Conv2d(16, 1, 1)),
            ALL),
        "mask behind": (
            inner(lambda b, x: b.inner(x) * torch.sigmoid(b.mask(x)), mask=block(16, 1)), ALL),
        "spatial gate": (inner(_spatial_gate, mask=nn.Conv2d(2, 1, 7, padding=3)), RIGHT),
        "squeeze and excitation": (
            inner(_excited, down=nn.Conv2d(16, 4, 1), up=nn.Conv2d(4, 16, 1)),
            ("stem.0", "body.inner.0", "body.down", "tail.0")),
        # statistics over channels
        "mean": (inner(lambda b, x: b.inner(x) - b.inner(x).mean(1, True)), RIGHT),
        "maximum": (inner(lambda b, x: b.inner(x) - b.inner(x).amax(1, True)), RIGHT),
        "sum": (inner(lambda b, x: b.inner(x) / (1 + b.inner(x).sum(1, True))), RIGHT),
        "softmax": (inner(lambda b, x: b.inner(x).softmax(1)), RIGHT),
        "cumsum": (inner(lambda b, x: b.inner(x).cumsum(1)), RIGHT),
        "number of channels": (inner(lambda b, x: b.inner(x) / b.inner(x).shape[1]), RIGHT),
        "group norm": (inner(lambda b, x: b.norm(b.inner(x)), norm=nn.GroupNorm(4, 16)), RIGHT),
        "instance norm": (
            inner(lambda b, x: b.norm(b.inner(x)), norm=nn.InstanceNorm2d(16, affine=True)), RIGHT),
        "layer norm": (
            inner(lambda b, x: b.norm(b.inner(x).movedim(1, -1)).movedim(-1, 1),
                  norm=nn.LayerNorm(16)),
            RIGHT),
        "norm by hand": (
            inner(lambda b, x: F.layer_norm(b.inner(x), b.inner(x).shape[1:])), RIGHT),
        "unit length": (inner(lambda b, x: F.normalize(b.inner(x), dim=1)), RIGHT),
        "local response norm": (
            inner(lambda b, x: b.lrn(b.inner(x)), lrn=nn.LocalResponseNorm(3)), RIGHT),
        # numbers per channel beside layers
        "scale in a parameter": (
            inner(lambda b, x: b.inner(x) * b.scale, scale=nn.Parameter(torch.rand(16, 1, 1))),
            RIGHT),
        "scale in a buffer": (
            inner(lambda b, x: b.inner(x) * b.scale, scale=torch.rand(1, 16, 1, 1)), RIGHT),
        "scale for the first channels": (
            inner(lambda b, x: b.inner(x) * b.scale[:, : b.inner(x).shape[1]],
                  scale=torch.rand(1, 16, 1, 1)),
            RIGHT),
        "prelu": (inner(lambda b, x: b.act(b.inner(x)), act=nn.PReLU(16)), RIGHT),
        "prelu with one weight": (inner(lambda b, x: b.act(b.inner(x)), act=nn.PReLU()), ALL),
        # weights
        "weight norm": (
            one(nn.utils.parametrizations.weight_norm(conv())),
            last),
        "spectral norm": (
            one(nn.utils.parametrizations.spectral_norm(conv())),
            last),
        "weight norm by hooks": (
            one(nn.utils.weight_norm(conv())),
            last),
        "spectral norm by hooks": (
            one(nn.utils.spectral_norm(conv())),
            last),
        "one layer twice": (inner(lambda b, x: b.inner(b.inner(x))), RIGHT),
        "tied weights": (_tied(), last),
        "weights by hand": (inner(_by_hand), last),
        # paths
        "path by the image": (inner(_if_bright), ()),
        "path in training": (inner(_if_training), last),
        "dropout": (inner(lambda b, x: b.drop(b.inner(x)), drop=nn.Dropout2d(0.5)), ALL),
        "sigmoid": (inner(lambda b, x: torch.sigmoid(b.inner(x))), ALL),
        "other dimensions": (
            Body(_through_dimensions, one=nn.Conv1d(16, 12, 3, padding=1),
                 three=nn.Conv3d(12, 16, 3, padding=1)),
            ("stem.0", "body.one", "body.three", "tail.0")),
    }  # fmt: skip
    made = {name: (Network(body), right) for name, (body, right) in kinds.items()}
    small = nn.Sequential(nn.Conv2d(16, 16, 3, 2, 1), nn.PixelShuffle(2))
    large = nn.Sequential(nn.Conv2d(16, 8, 3, 1, 1), nn.PixelUnshuffle(2))
    halves = inner(lambda b, x: b.inner(x)[:, :8] * b.inner(x)[:, 8:])
    made["differences"] = (Network(inner(lambda b, x: torch.diff(b.inner(x), dim=1)), 15), RIGHT)
    made["halves"] = (Network(halves, 8), RIGHT)
    made["pixel shuffle"] = (Network(small, 4), RIGHT)
    made["pixel unshuffle"] = (Network(large, 32), RIGHT)
    return made
