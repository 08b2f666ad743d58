"""A random network: from a seed to a recipe, from a recipe to a network with statistics."""

from __future__ import annotations

from random import Random
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from tests.compress.random_networks import gates, layers, odd, wiring  # noqa: F401 - kinds register
from tests.compress.random_networks.drawing import built, drawn, shape_after
from tests.compress.random_networks.kinds import Maps, tokens

CLASSES = 3
HEADS = ("mean", "mean", "mean", "flat", "flat mlp", "convolution", "tokens", "maximum", "mlp")


class Recipe(NamedTuple):
    """All that a network is, beside its random numbers."""

    maps: Maps
    steps: list[Any]
    head: str


class Classifier(nn.Module):
    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.steps = built(recipe.maps, recipe.steps)
        self.head = _Head(recipe.head, shape_after(recipe.maps, recipe.steps))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.steps(x))
        return logits


class _Head(nn.Module):
    def __init__(self, name: str, maps: Maps) -> None:
        super().__init__()
        c, height, width = maps
        self.name = name
        flat = c * height * width if "flat" in name else c
        self.before: nn.Module = nn.Identity()
        if "mlp" in name:
            self.before = nn.Sequential(
                nn.Linear(flat, 6), nn.BatchNorm1d(6), nn.ReLU(inplace=True)
            )
            flat = 6
        elif name == "tokens":
            self.before = nn.LayerNorm(c)
        self.last = nn.Conv2d(c, CLASSES, 1) if name == "convolution" else nn.Linear(flat, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        if self.name == "convolution":
            return torch.mean(self.last(x), (2, 3))
        if self.name == "tokens":
            x = self.before(tokens(x)).mean(1)
        else:
            x = x.flatten(1) if "flat" in self.name else _pooled(x, self.name)
            x = self.before(x)
        logits: Tensor = self.last(x)
        return logits


def _pooled(x: Tensor, name: str) -> Tensor:
    return F.adaptive_max_pool2d(x, 1)[:, :, 0, 0] if name == "maximum" else x.mean((2, 3))


def recipe_of(seed: int) -> Recipe:
    """The recipe of a seed; the random state of torch stays as it is."""
    rng = Random(seed)
    maps = (rng.choice([1, 3]), *[rng.choice([4, 6, 8])] * 2)
    with torch.random.fork_rng(devices=[]):
        stem = ("block", {"out": rng.choice([4, 6, 8]), "act": "relu", "kernel": [3, 3]})
        steps = [stem] if rng.random() < 0.8 else []
        inside = shape_after(maps, steps)
        steps += drawn(rng, inside, rng.choice([0, 1, 1, 2]), rng.randint(1, 6))
    return Recipe(maps, steps, rng.choice(HEADS))


def network(recipe: Recipe, seed: int = 0) -> Classifier:
    """The network, with random weights, norms that have seen data, in float64 and eval mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Classifier(recipe).double()
        for module in model.modules():
            if isinstance(module, _BatchNorm) and module.running_mean is not None:
                module.running_mean.normal_(0, 0.3)
                module.running_var.uniform_(0.5, 1.5)
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.ndim < 2:
                    parameter.uniform_(0.2, 1.2)
    return model.eval()
