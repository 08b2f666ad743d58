"""Published CIFAR-10 networks reach their known accuracy, so data, models and engine agree."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

import pytest
import torch

from prunetune.models.pretrained import load_state, match_state
from prunetune.registry import datasets, models
from prunetune.train.evaluate import EVAL_BATCH, evaluate

DATA = os.environ.get("PRUNETUNE_DATA")
PUBLISHED = {
    "resnet20": ("resnet20-12fca82f.th", 10_000, 9173),
    "resnet56": ("resnet56-4bfd9763.th", 2_500, 2318),
}
"""Akamaster's checkpoints and their hits among the first so many test images in float32.

Among all 10,000 images, ResNet-56 has 9,339 hits; that takes a core half a minute."""


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_checkpoints_reach_their_accuracy(name: str) -> None:
    file, images, hits = PUBLISHED[name]
    if DATA is None or not (Path(DATA) / "checkpoints" / file).exists():
        pytest.skip(f"no checkpoints/{file} under $PRUNETUNE_DATA ({DATA})")
    if not (Path(DATA) / "cifar-10-batches-py").exists():
        pytest.skip(f"no cifar-10-batches-py under $PRUNETUNE_DATA ({DATA})")
    device = torch.device("cpu")
    family, dataset = models.get(name), datasets.get("cifar10")
    model = family.part.build(family.params(shortcut="A"), 10, (3, 32, 32))
    model.load_state_dict(match_state(model, load_state(Path(DATA) / "checkpoints" / file)))
    statistics = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
    test = dataset.part(dataset.params(**statistics)).open(0, device, download=False).test()
    first = islice(test.batches(EVAL_BATCH), images // EVAL_BATCH)
    assert round(evaluate(model, first, device).acc1 * images) == hits
