from __future__ import annotations

import math

import pytest
import torch
from torchvision.models import get_model

from prunetune.models.torchvision import INIT_RULES, TorchvisionParams
from prunetune.registry import models

RANDOM = 1000
"""Fewest values for which a standard deviation says something."""


@pytest.mark.parametrize(
    "name",
    [
        "resnet18",
        "mobilenet_v3_small",
        "mnasnet0_5",
        "shufflenet_v2_x0_5",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in (
                "resnet50",
                "resnext50_32x4d",
                "mobilenet_v2",
                "vgg11_bn",
                "densenet121",
                "efficientnet_b0",
                "convnext_tiny",
            )
        ),
    ],
)
def test_initialise_redraws_what_torchvisions_constructor_drew(name):
    entry = models.get(name)
    model, theirs = (
        entry.part.build(entry.params(), 10, (3, 64, 64)),
        get_model(name, num_classes=10),
    )
    for key, tensor in model.state_dict().items():
        if "layer_scale" not in key:  # a constant of the architecture
            tensor.fill_(7)
    entry.part.initialise(model)
    for key, tensor in theirs.state_dict().items():
        ours, published = model.state_dict()[key].float(), tensor.float()
        if published.numel() < 2 or published.std() == 0:
            assert torch.equal(ours, published), key
        elif published.numel() < RANDOM:
            assert 0 < ours.std() < 4 * published.std(), key
        else:
            tolerance = 8 / math.sqrt(published.numel())
            assert abs(ours.std() / published.std() - 1) < tolerance, key
            assert abs(ours.mean() - published.mean()) < tolerance * published.std(), key


def test_every_rule_has_its_networks_and_none_has_two():
    names = [name for names in INIT_RULES.values() for name in names.split()]
    assert len(names) == len(set(names))
    assert set(names) <= set(models.names())


def test_scaling_by_width_is_refused():
    family = models.get("vgg19_bn").part
    assert family.stage_widths(TorchvisionParams()) is None
    with pytest.raises(ValueError, match="vgg19_bn cannot be scaled by width"):
        family.with_widths(TorchvisionParams(), (8, 16))


def test_grey_images_are_refused():
    with pytest.raises(ValueError, match="3 channels, not 1"):
        models.get("vgg19_bn").part.build(TorchvisionParams(), 10, (1, 28, 28))
