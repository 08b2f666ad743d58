"""How long an epoch takes, as a function of a network's MACs: from records, or measured here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
import torch

from prunetune.analysis.format import plural
from prunetune.compress.methods.width_scaling.solver import WidthSolver
from prunetune.compress.network.rebuild import fresh
from prunetune.config.recipe import Recipe
from prunetune.config.space.space import subtree
from prunetune.plan import Plan
from prunetune.records.architecture import Architecture
from prunetune.records.record import Record
from prunetune.train.evaluate import EVAL_BATCH
from prunetune.train.loop import train

STEPS = 20


@dataclass(frozen=True)
class Clock:
    """Seconds of an epoch at some MACs, in between by straight lines."""

    source: str
    points: tuple[tuple[int, float], ...]
    """(MACs, seconds), ascending."""

    def epoch(self, macs: int) -> float:
        """Seconds of one epoch of a network of `macs`; the nearest point's beyond the ends."""
        xs, ys = zip(*self.points, strict=True)
        return float(np.interp(macs, xs, ys))


def from_records(plan: Plan, sweeps: Iterable[tuple[Plan, Iterable[Record]]]) -> Clock | None:
    """From finished trials of this model on one device, that with most of them; None without.

    An epoch of a sweep on fewer images counts as much longer as this one has more.
    """
    by_device: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for former, records in sweeps:
        if former.dense.macs != plan.dense.macs or _model(former) != _model(plan):
            continue
        masked = {study.id for study in former.studies if study.masked}
        for record in (r for r in records if r.curve and r.macs):
            macs = record.dense_macs if record.study in masked else record.macs
            seconds = median(epoch.seconds for epoch in record.curve)
            seconds *= plan.train_size / former.train_size
            device = f"{record.device}, {plural(record.threads or 1, 'thread')}"
            by_device[device][macs or 0].append(seconds)
    if not by_device:
        return None
    device, found = max(by_device.items(), key=lambda item: sum(map(len, item[1].values())))
    points = tuple(sorted((macs, median(seconds)) for macs, seconds in found.items()))
    return Clock(f"finished trials on {device}", points)


def _model(plan: Plan) -> Any:
    return plan.dense.architecture["model"]


def measured(plan: Plan) -> Clock:
    """From training steps on made-up images here: the dense network, and a thin one per budget."""
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
    return Clock(f"{STEPS} steps on {name}, {threads}", tuple(sorted(seconds.items())))


def _epoch_seconds(plan: Plan, shape: Architecture, device: torch.device) -> float:
    """Seconds of a whole epoch, validation included, scaled up from a few steps."""
    recipe = Recipe.model_validate(subtree(plan.dense.config, "recipe"))
    images = STEPS * min(recipe.batch_size, plan.train_size)
    split = _MadeUp(images, shape, device)
    seeds = {"order": 0, "augmentation": 0}
    splits = _MadeUpSplits(split, _MadeUp(EVAL_BATCH, shape, device))
    *_, last = train(fresh(shape, 0), splits, recipe, 2, seeds=seeds, device=device)
    return last.seconds * plan.train_size / images


@dataclass(frozen=True)
class _MadeUp:
    """Images of noise, as many as are asked for."""

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
