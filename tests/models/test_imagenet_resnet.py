from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision.models import get_model, get_model_weights

from prunetune.models.imagenet_resnet import ImageNetResNetFamily
from prunetune.registry import models

from .conftest import macs, n_params

RESNETS = [n for n in models.names() if isinstance(models.get(n).part, ImageNetResNetFamily)]
RESNEXTS = ["resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d"]
IMAGENET = (3, 224, 224)


def on_meta(name: str, classes: int = 1000, **params) -> nn.Module:
    entry = models.get(name)
    with torch.device("meta"):
        return entry.part.build(entry.params(**params), classes, IMAGENET)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*RESNETS, *RESNEXTS])
def test_sizes_are_those_torchvision_states(name):
    model = on_meta(name)
    for weights in get_model_weights(name):
        assert n_params(model) == weights.meta["num_params"]
        assert round(macs(model, IMAGENET) / 1e9, 3) == weights.meta["_ops"]


@pytest.mark.parametrize("name", RESNETS)
def test_modules_bear_torchvisions_names(name):
    with torch.device("meta"):
        theirs = get_model(name).state_dict()
    ours = on_meta(name).state_dict()
    assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in theirs.items()}


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_computes_what_torchvision_computes(name):
    theirs = get_model(name, num_classes=10).eval()
    entry = models.get(name)
    ours = entry.part.build(entry.params(), 10, (3, 65, 65)).eval()
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(2, 3, 65, 65)
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "width", "mparams", "gmacs"),
    [
        ("resnet50", 56, 19.798, 3.144),
        ("resnet50", 48, 14.772, 2.323),
        ("resnet50", 45, 13.076, 2.047),
        ("resnet50", 40, 10.478, 1.626),
        ("resnet50", 36, 8.606, 1.323),
        ("resnet50", 32, 6.918, 1.052),
        ("resnet50", 28, 5.412, 0.812),
        ("resnet50", 24, 4.089, 0.603),
        ("resnet50", 22, 3.497, 0.510),
        ("resnet50", 16, 1.994, 0.278),
        ("resnet18", 48, 6.675, 1.043),
        ("resnet18", 45, 5.890, 0.922),
        ("resnet18", 37, 4.037, 0.635),
        ("resnet18", 32, 3.056, 0.483),
    ],
)
def test_sizes_of_thin_networks(name, width, mparams, gmacs):
    model = on_meta(name, widths=tuple(width * 2**i for i in range(4)))
    assert round(n_params(model) / 1e6, 3) == mparams
    assert macs(model, IMAGENET) / 1e9 == pytest.approx(gmacs, abs=6e-4)


@pytest.mark.parametrize(
    ("name", "width", "mparams", "gmacs"),
    [
        ("resnet50", 64, 23.705, 1.298),
        ("resnet50", 45, 11.774, 0.642),
        ("resnet50", 32, 5.991, 0.325),
        ("resnet50", 22, 2.860, 0.154),
        ("resnet18", 64, 11.220, 0.555),
        ("resnet18", 45, 5.560, 0.275),
        ("resnet18", 32, 2.821, 0.139),
        ("resnet18", 22, 1.340, 0.066),
    ],
)
def test_sizes_with_the_stem_for_small_images(name, width, mparams, gmacs):
    model = on_meta(name, 100, stem="cifar", widths=tuple(width * 2**i for i in range(4)))
    assert round(n_params(model) / 1e6, 3) == mparams
    assert round(macs(model, (3, 32, 32)) / 1e9, 3) == gmacs
