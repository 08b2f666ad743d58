"""Measures how long an epoch takes on this machine, by a few steps on made-up images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from prunetune.analysis.format import plural
from prunetune.compress.methods.width_scaling.solver import WidthSolver
from prunetune.compress.network.rebuild import fresh
from prunetune.config.recipe import Recipe
from prunetune.config.space.space import subtree
from prunetune.plan import Plan
from prunetune.records.architecture import Architecture
from prunetune.sweep.clock import Clock
from prunetune.train.evaluate import EVAL_BATCH
from prunetune.train.loop import train

_STEPS = 20


def measured_clock(plan: Plan) -> Clock:
    """A clock from training steps of the dense network and of a thin network for each budget."""
    architecture = Architecture.model_validate(plan.dense.architecture)
    shapes = {plan.dense.macs: architecture}
    solver = WidthSolver(architecture)
    for target in {study.target_macs for study in plan.feasible()}:
        thin = solver.solve(target, 0)
        shapes[thin.macs] = solver.architecture_at(thin.widths, thin.inner)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    seconds = {macs: _epoch_seconds(plan, shape, device) for macs, shape in shapes.items()}
    name = torch.cuda.get_device_name() if device.type == "cuda" else "cpu"
    threads = plural(torch.get_num_threads(), "thread")
    return Clock(f"{_STEPS} steps on {name}, {threads}", tuple(sorted(seconds.items())))


def _epoch_seconds(plan: Plan, shape: Architecture, device: torch.device) -> float:
    """Seconds of a whole epoch, validation included, scaled up from the measured steps."""
    recipe = Recipe.model_validate(subtree(plan.dense.config, "recipe"))
    images = _STEPS * min(recipe.batch_size, plan.train_size)
    split = _MadeUp(images, shape, device)
    seeds = {"order": 0, "augmentation": 0}
    splits = _MadeUpSplits(split, _MadeUp(EVAL_BATCH, shape, device))
    *_, last = train(fresh(shape, 0), splits, recipe, 2, seeds=seeds, device=device)
    return last.seconds * plan.images_per_epoch(plan.dense.config) / images


@dataclass(frozen=True)
class _MadeUp:
    """A split of `images` images of noise."""

    images: int
    shape: Architecture
    device: torch.device

    def __len__(self) -> int:
        return self.images

    def epoch(self, batch_size: int, *_: object) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        return self.batches(batch_size)

    def batches(self, batch_size: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        x = torch.randn(min(batch_size, self.images), *self.shape.input_shape, device=self.device)
        y = torch.randint(self.shape.classes, (len(x),), device=self.device)
        return ((x, y) for _ in range(self.images // len(x)))


@dataclass(frozen=True)
class _MadeUpSplits:
    train: _MadeUp
    val: _MadeUp
