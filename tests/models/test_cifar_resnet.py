from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from prunetune.models.cifar_resnet import RESNET_DEPTHS, PaddedShortcut, ResNetParams
from prunetune.models.pretrained import WeightsFileError, load_state, match_state
from prunetune.registry import models

from .conftest import macs, n_params

CIFAR = (3, 32, 32)


def on_meta(name: str, **params) -> nn.Module:
    with torch.device("meta"):
        return models.get(name).part.build(ResNetParams(**params), 10, CIFAR)


@pytest.mark.parametrize(
    ("name", "shortcut", "params", "mmacs"),
    [
        ("resnet20", "A", 269_722, 40.551),
        ("resnet20", "B", 272_474, 40.813),
        ("resnet56", "A", 853_018, 125.486),
        ("resnet56", "B", 855_770, 125.748),
        ("resnet110", "A", 1_727_962, 252.888),
        ("resnet110", "B", 1_730_714, 253.150),
    ],
)
def test_sizes_are_the_published_ones(name, shortcut, params, mmacs):
    model = on_meta(name, shortcut=shortcut)
    assert n_params(model) == params
    assert round(macs(model, CIFAR) / 1e6, 3) == mmacs


@pytest.mark.slow
@pytest.mark.parametrize(
    ("width", "kparams", "mmacs"),
    [
        (15, 752.5, 110.55),
        (14, 655.8, 96.32),
        (13, 565.8, 83.08),
        (12, 482.4, 70.82),
        (11, 405.6, 59.53),
        (10, 335.5, 49.22),
        (9, 272.1, 39.90),
        (8, 215.3, 31.55),
        (7, 165.1, 24.18),
        (6, 121.6, 17.79),
        (5, 84.7, 12.38),
        (4, 54.5, 7.94),
    ],
)
def test_sizes_of_thin_resnet56(width, kparams, mmacs):
    model = on_meta("resnet56", widths=(width, 2 * width, 4 * width))
    assert round(n_params(model) / 1e3, 1) == kparams
    assert round(macs(model, CIFAR) / 1e6, 2) == mmacs


@pytest.mark.parametrize("depth", RESNET_DEPTHS)
def test_depth_counts_the_weighted_layers(depth):
    name = "cifar_resnet50" if depth == 50 else f"resnet{depth}"
    layers = [m for m in on_meta(name, shortcut="A").modules() if hasattr(m, "weight")]
    assert sum(isinstance(m, nn.Conv2d | nn.Linear) for m in layers) == depth


@pytest.mark.parametrize(("c", "out"), [(4, 8), (4, 9), (5, 5), (3, 4), (2, 11)])
@pytest.mark.parametrize("size", [(8, 8), (7, 5)])
def test_shortcut_a_agrees_with_its_definition(c, out, size):
    x = torch.randn(2, c, *size)
    got = PaddedShortcut(c, out)(x)
    before = (out - c) // 2
    assert got.shape == (2, out, math.ceil(size[0] / 2), math.ceil(size[1] / 2))
    for n, channel, i, j in torch.cartesian_prod(*map(torch.arange, got.shape)).tolist():
        inside = 0 <= channel - before < c
        expected = x[n, channel - before, 2 * i, 2 * j] if inside else 0.0
        assert got[n, channel, i, j] == expected


def test_shortcut_a_pads_as_published_when_channels_double():
    x = torch.randn(2, 16, 8, 8)
    published = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 32 // 4, 32 // 4), "constant", 0)
    assert torch.equal(PaddedShortcut(16, 32)(x), published)


def test_shortcut_a_cannot_narrow():
    with pytest.raises(ValueError, match=r"a stage of 8 channels follows one of 16.*shortcut B"):
        on_meta("resnet20", shortcut="A", widths=(16, 8, 64))
    assert on_meta("resnet20", shortcut="B", widths=(16, 8, 64))


def test_only_inner_channels_may_go_with_shortcut_a():
    family = models.get("resnet20").part
    for shortcut, free in (("A", 9), ("B", 21)):
        model = on_meta("resnet20", shortcut=shortcut)
        ignored = family.ignored_layers(model)
        layers = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        prunable = [m for m in layers if not any(m is layer for layer in ignored)]
        assert len(prunable) == free
    inner = [block.conv1 for block in model.modules() if hasattr(block, "shortcut")]
    assert len(inner) == 9


def test_init_is_kaiming_normal_whatever_was_there():
    entry = models.get("resnet20")
    model = entry.part.build(entry.params(widths=(16, 33, 65)), 100, CIFAR)
    for tensor in model.state_dict().values():
        tensor.fill_(7)
    entry.part.initialise(model)
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            fan_in = module.weight[0].numel()
            scaled = module.weight.detach() * math.sqrt(fan_in / 2)
            spread = 6 / math.sqrt(scaled.numel())
            assert abs(scaled.mean()) < spread
            assert abs(scaled.std() - 1) < spread
    assert torch.equal(model.linear.bias, torch.zeros(100))
    norm = model.layer1[0].bn1
    assert [t.unique().item() for t in norm.state_dict().values()] == [1, 0, 0, 1, 0]


@pytest.mark.parametrize("name", ["resnet20", "resnet56"])
def test_published_checkpoints_load_strictly(name, checkpoints):
    (path,) = checkpoints.glob(f"{name}-*.th")
    entry = models.get(name)
    model = entry.part.build(entry.params(shortcut="A"), 10, CIFAR)
    state = match_state(model, load_state(path))
    model.load_state_dict(state, strict=True)
    assert model.state_dict().keys() == state.keys()
    with pytest.raises(WeightsFileError, match=r"missing: layer2\.0\.shortcut\.0\.weight"):
        match_state(entry.part.build(entry.params(shortcut="B"), 10, CIFAR), state)


def test_no_weights_go_by_a_name():
    with pytest.raises(WeightsFileError, match="give a file"):
        models.get("resnet20").part.published("IMAGENET1K_V1")
