"""What a kind of step is, and small tools to write one.

A step maps feature maps (n, channels, height, width) to others. A recipe is a list of steps as
data, [kind, parameters]; the widths that a step reads follow from the steps before it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from torch import Tensor, nn

Maps = tuple[int, int, int]
"""Channels, height, width."""
Params = dict[str, Any]
Step = tuple[str, Params]
WIDTHS = (2, 3, 4, 4, 6, 6, 8, 8, 9, 12)
MOST_CHANNELS, MOST_POSITIONS = 24, 144


@dataclass(frozen=True)
class Kind:
    """A kind of step."""

    draw: Callable[[Random, Maps, int], Params | None]
    """Parameters for such maps, with steps nested so deep at most; None: it does not fit."""
    build: Callable[[Maps, Params], nn.Module]
    weight: float
    """How often it is drawn, relative to others."""


KINDS: dict[str, Kind] = {}


def kind(
    name: str, weight: float = 1, draw: Callable[[Random, Maps, int], Params | None] | None = None
) -> Callable[[Callable[..., nn.Module]], Callable[..., nn.Module]]:
    """Register a builder: `build(maps, **parameters)`."""

    def register(build: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
        chosen = draw or (lambda rng, maps, depth: {})
        KINDS[name] = Kind(chosen, lambda maps, params: build(maps, **params), weight)
        return build

    return register


class Applied(nn.Module):
    """A function of layers and feature maps; the function gets the module, so that copies work."""

    def __init__(self, function: Callable[[Any, Tensor], Tensor], **layers: nn.Module) -> None:
        super().__init__()
        self.function = function
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self, x)


def divisors(n: int) -> list[int]:
    return [d for d in range(1, n + 1) if n % d == 0]


def tokens(x: Tensor) -> Tensor:
    """(n, positions, channels)"""
    return x.flatten(2).transpose(1, 2)


def maps_of(x: Tensor, like: Tensor) -> Tensor:
    """The inverse of `tokens`."""
    return x.transpose(1, 2).reshape(len(x), -1, *like.shape[2:])
