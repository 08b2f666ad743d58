"""Draws recipes, and builds what they describe."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import torch
from torch import nn

from tests.compress.random_networks.kinds import (
    KINDS,
    MOST_CHANNELS,
    MOST_POSITIONS,
    Maps,
    Step,
)

_TRIES = 20


def drawn(rng: Random, maps: Maps, depth: int, steps: int) -> list[Step]:
    """A recipe of so many steps, each of which runs on what the steps before it give."""
    recipe: list[Step] = []
    names, weights = list(KINDS), [kind.weight for kind in KINDS.values()]
    for _ in range(steps):
        for _ in range(_TRIES):
            (name,) = rng.choices(names, weights)
            params = KINDS[name].draw(rng, maps, depth)
            if params is None:
                continue
            shape = _shape(maps, (name, params))
            if shape is not None:
                recipe.append((name, params))
                maps = shape
                break
    return recipe


def built(maps: Maps, recipe: Sequence[Any]) -> nn.Module:
    """The network of a recipe, for such maps."""
    layers = []
    for name, params in recipe:
        layers.append(KINDS[name].build(maps, params))
        maps = _run(layers[-1], maps)
    return nn.Sequential(*layers)


def shape_after(maps: Maps, recipe: Sequence[Any]) -> Maps:
    """The maps that a recipe makes of such maps."""
    return _run(built(maps, recipe), maps)


def _shape(maps: Maps, step: Step) -> Maps | None:
    """The maps behind a step; None if it does not run, or they would be too small or too large."""
    try:
        channels, height, width = shape = shape_after(maps, [step])
    except (RuntimeError, ValueError, IndexError):
        return None
    fits = channels <= MOST_CHANNELS and 1 <= height * width <= MOST_POSITIONS
    return shape if fits and channels > 0 else None


def _run(layer: nn.Module, maps: Maps) -> Maps:
    with torch.no_grad():
        out = layer.eval()(torch.zeros(1, *maps))
    channels, height, width = out.shape[1:]
    return channels, height, width
