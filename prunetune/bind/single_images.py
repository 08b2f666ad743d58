"""Refuses single images where a batch norm must normalise more: every such trial would fail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from prunetune.bind.cells import Cell
from prunetune.compress.network.single_values import norms_of_single_values
from prunetune.config.file.model import SweepSpec
from prunetune.config.problems.errors import Problems, YamlPath
from prunetune.config.space.space import Constant, Space
from prunetune.plan import BATCH_SIZE, SPARSIFY_BATCH_SIZE
from prunetune.workload import Workload

TOGETHER = (
    SPARSIFY_BATCH_SIZE,
    "method.recalibrate",
    "method.criterion.fisher_accumulated.batch",
    "method.criterion.fisher_accumulated.images",
)
"""Parameters of methods that say how many images are normalised together."""


@dataclass(frozen=True)
class _Use:
    """A place in the file that says how many images are normalised together."""

    path: YamlPath
    may_be_single: bool


def check_single_images(
    spec: SweepSpec,
    problems: Problems,
    cells: Sequence[Cell],
    workload: Workload,
    dense_space: Space,
) -> None:
    """Refuse batches of one image, and data of one, where a batch norm sees 1x1 maps.

    Validation and test sets of one image are allowed: evaluation normalises by running statistics.
    """
    uses = [*_dense_uses(dense_space), *_uses(spec, cells)]
    one_image = workload.info.train_size == 1
    if not uses or not (one_image or any(use.may_be_single for use in uses)):
        return
    with torch.device("meta"):
        model = workload.build()
    norms = norms_of_single_values(model, workload.info.shape)
    if not norms:
        return
    why = f"batch norm {norms[0]} sees one value per channel of an image, and needs two to train"
    if one_image:
        path: YamlPath = ("workload", "dataset", workload.dataset.name)
        if "train_limit" in workload.dataset.params:
            path = (*path, "train_limit")
        problems.add(path, f"leaves 1 training image: {why}", allowed="2 training images or more")
    for use in uses:
        if use.may_be_single:
            problems.add(use.path, f"may be 1 image: {why}", value=1, allowed="2 or more")


def _dense_uses(space: Space) -> Iterator[_Use]:
    """The batches of the dense network's training, if the sweep trains it."""
    path: YamlPath = ("workload", "dense", "train", "recipe", "batch_size")
    for dimension in space.dimensions:
        if dimension.path == BATCH_SIZE:
            yield _Use(path, dimension.domain.holds(1))


def _uses(spec: SweepSpec, cells: Sequence[Cell]) -> Iterator[_Use]:
    for cell in cells:
        for dimension in cell.space.dimensions:
            if dimension.path == BATCH_SIZE:
                if spec.training.finetune_epochs or not cell.arm.method.inherits:
                    places = spec.arm_recipe(cell.arm.name)[1]
                    path = places.get("batch_size", ("recipe", "batch_size"))
                    yield _Use(path, dimension.domain.holds(1))
            elif dimension.path in TOGETHER and dimension.domain != Constant(value=0):
                path = (*cell.arm.path, *dimension.path.split(".")[1:])
                yield _Use(path, dimension.domain.holds(1))
