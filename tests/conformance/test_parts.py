"""Every registered schedule, regulariser, method, model family and data set."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from prunetune.data.files import DataMissingError
from prunetune.registry import datasets, methods, models, regularizers, schedules
from prunetune.testing import (
    Network,
    check_dataset,
    check_method,
    check_model,
    check_regularizer,
    check_schedule,
)


@pytest.mark.parametrize("name", schedules.names())
def test_schedules(name: str) -> None:
    check_schedule(name)
    if "warmup_epochs" in schedules.get(name).params.model_fields:
        check_schedule(name, {"warmup_epochs": 0.5})


VIT = Network("vit_tiny", {"patch": 4})
CONCATENATED = Network("densenet_bc_40", {"growth": 4})


@pytest.mark.slow
@pytest.mark.parametrize("name", regularizers.names())
def test_regularizers_where_channels_are_concatenated(name: str) -> None:
    check_regularizer(name, {"strength": 0.1}, network=CONCATENATED)


@pytest.mark.parametrize("name", regularizers.names())
@pytest.mark.parametrize("ramp", [pytest.param(0.0, marks=pytest.mark.slow), 0.5])
def test_regularizers(name: str, ramp: float) -> None:
    check_regularizer(name, {"strength": 0.1, "ramp": ramp})


def test_a_regularizer_that_looks_at_batch_norm_is_refused_without() -> None:
    check_regularizer("bn_scale", {"strength": 0.1}, network=VIT, refused=True)


METHODS: dict[str, list[dict[str, Any]]] = {
    "channel_pruning": [
        {"scope": "isomorphic", "steps": 3},
        {"scope": "local", "floor": 0, "cost_aware": "divide"},
        {"gradual": {"epochs": 1}, "steps": 2},
        {"sparsify": {"regularizer": {"group_lasso": {"strength": 0.1}}}},
    ],
    "copycat": [{"from": "pruned", "at": 0.5}],
    "reinit": [{"from": "pruned"}],
    "weight_pruning": [{}, {"minimum": 40}, {"gradual": {"epochs": 1, "every": 2}}],
    "width_scaling": [{}, {"by": "inner"}, {"by": "depth"}, {"profile": {"stage1": 2.0}}],
}
"""Parameters to try; a method that is not named is tried with its defaults."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "params"),
    [(name, params) for name in methods.names() for params in METHODS.get(name, [{}])],
)
def test_methods(name: str, params: dict[str, Any]) -> None:
    check_method(name, params)


FAMILIES: list[tuple[str, dict[str, Any]]] = [
    ("resnet14", {}),
    ("resnet14", {"shortcut": "A"}),
    ("resnet18", {"widths": (8, 16, 32, 64)}),
    ("resnet50", {"widths": (8, 16, 32, 64), "stem": "cifar"}),
    ("cifar_vgg16_bn", {"widths": (8, 16, 32, 32, 32)}),
    ("wrn_16_4", {"widths": (8, 16, 32)}),
    ("densenet_bc_40", {"growth": 4}),
    ("mobilenet_v1", {"stem": "cifar", "widths": (8, 8, 16, 16, 32, 32)}),
    ("mobilenet_v2", {"stem": "cifar", "widths": (8, 8, 8, 8, 16, 16, 16, 32, 64)}),
    ("vit_tiny", {"patch": 8}),
    ("mnasnet0_5", {}),
    ("module", {"class": "torchvision.models.squeezenet1_1", "args": {"num_classes": 4}}),
]
"""One of every family, at widths that a test can afford."""


def test_every_family_is_among_them() -> None:
    kinds = {type(models.get(name).part) for name in models.names()}
    assert kinds == {type(models.get(name).part) for name, _ in FAMILIES}


@pytest.mark.parametrize(("name", "params"), FAMILIES)
def test_models(name: str, params: dict[str, Any]) -> None:
    check_model(name, params)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow) if name.startswith("cifar") else name
        for name in datasets.names()
        if name not in ("image_folder", "dataset")  # of no images of their own
    ],
)
def test_datasets(name: str) -> None:
    if name != "digits" and "PRUNETUNE_DATA" not in os.environ:
        pytest.skip("PRUNETUNE_DATA is unset")
    try:
        check_dataset(name, {} if name == "digits" else {"train_limit": 200, "val_fraction": 0.01})
    except DataMissingError as error:
        pytest.skip(str(error))


def test_image_folders(tmp_path: Path) -> None:
    from PIL import Image

    generator = torch.Generator().manual_seed(0)
    for part, count in (("train", 12), ("test", 3)):
        for label in ("cat", "dog"):
            folder = tmp_path / part / label
            folder.mkdir(parents=True)
            for i in range(count):
                pixels = torch.randint(256, (12, 14, 3), generator=generator, dtype=torch.uint8)
                Image.fromarray(pixels.numpy()).save(folder / f"{i}.png")
    check_dataset(
        "image_folder",
        {"root": str(tmp_path), "size": 8, "workers": 0, "val_fraction": 0.25},
    )
