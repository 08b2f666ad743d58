"""Sizes and semantics of the networks beyond ResNet."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import get_model, get_model_weights

from prunetune.compress.budget.costs import count_macs
from prunetune.models.pretrained import WeightsFileError
from prunetune.models.vit import timm_name
from prunetune.registry import models

from .conftest import macs, n_params

CIFAR, IMAGENET = (3, 32, 32), (3, 224, 224)


def on_meta(name: str, shape=CIFAR, classes: int = 10, **params) -> nn.Module:
    entry = models.get(name)
    with torch.device("meta"):
        return entry.part.build(entry.params(**params), classes, shape)


@pytest.mark.parametrize(
    ("name", "params", "mparams", "mmacs"),
    [
        ("cifar_vgg16_bn", {}, 14.72, 313.2),
        ("cifar_vgg19_bn", {}, 20.04, 398.1),  # Liu et al. 2017: 20.04 M, 797 MFLOPs
        ("densenet_bc_100", {}, 0.77, 287.9),  # Huang et al. 2017: 0.8 M
        ("mobilenet_v1", {"stem": "cifar"}, 3.22, 46.4),
        ("mobilenet_v2", {"stem": "cifar"}, 2.24, 88.0),
        ("wrn_28_8", {}, 23.35, 3360.1),  # Zagoruyko & Komodakis 2016: 23.4 M
        ("wrn_28_10", {}, 36.48, 5243.3),  # 36.5 M
        ("wrn_16_4", {}, 2.75, 392.6),  # 2.7 M
    ],
)
def test_sizes_for_small_images(name, params, mparams, mmacs):
    model = on_meta(name, **params)
    assert round(n_params(model) / 1e6, 2) == mparams
    assert round(macs(model, CIFAR) / 1e6, 1) == mmacs


@pytest.mark.parametrize(
    ("name", "widths", "mparams", "mmacs"),
    [
        ("wrn_40_2", None, 2.2435, 327.60),
        ("wrn_34_2", None, 1.8556, 270.98),
        ("wrn_28_2", None, 1.4676, 214.35),
        ("wrn_22_2", None, 1.0796, 157.73),
        ("wrn_16_2", None, 0.6917, 101.11),
        ("wrn_10_2", None, 0.3037, 44.48),
        ("wrn_40_2", (28, 57, 115), 1.8010, 258.93),
        ("wrn_40_2", (24, 48, 96), 1.2644, 185.45),
        ("wrn_40_2", (20, 40, 80), 0.8794, 129.47),
        ("wrn_40_1", None, 0.5639, 83.28),
        ("wrn_40_2", (12, 24, 48), 0.3187, 47.68),
        ("wrn_40_2", (8, 16, 32), 0.1429, 21.87),
    ],
)
def test_wide_resnets_by_depth_and_by_width(name, widths, mparams, mmacs):
    model = on_meta(name, widths=widths)
    assert round(n_params(model) / 1e6, 4) == mparams
    assert round(macs(model, CIFAR) / 1e6, 2) == mmacs


@pytest.mark.parametrize(
    ("share", "mparams", "mmacs"),
    [(0.75, 1.6865, 246.2), (0.5, 1.1294, 164.81), (0.25, 0.5723, 83.41), (0.125, 0.2937, 42.71)],
)
def test_wide_resnets_by_inner_width(share, mparams, mmacs):
    dense = models.get("wrn_40_2").part.inner_widths(models.get("wrn_40_2").params())
    model = on_meta("wrn_40_2", inner=tuple(int(share * width) for width in dense))
    assert round(n_params(model) / 1e6, 4) == mparams
    assert macs(model, CIFAR) / 1e6 == pytest.approx(mmacs, abs=0.05)


@pytest.mark.parametrize(
    ("name", "params", "mmacs"),
    [("mobilenet_v1", 4_231_976, 568.7), ("mobilenet_v2", 3_504_872, 300.8)],
)
def test_sizes_of_mobilenets(name, params, mmacs):
    model = on_meta(name, IMAGENET, 1000)
    assert n_params(model) == params
    assert round(macs(model, IMAGENET) / 1e6, 1) == mmacs


def test_size_of_torchvisions_vgg19():
    model = on_meta("vgg19_bn", IMAGENET, 1000)
    assert n_params(model) == 143_678_248
    assert round(macs(model, IMAGENET) / 1e9, 3) == 19.632


@pytest.mark.parametrize(
    ("name", "mparams", "gmacs"), [("vit_tiny", 5.72, 1.254), ("vit_small", 22.05, 4.599)]
)
def test_sizes_of_vision_transformers_with_their_attention(name, mparams, gmacs):
    model = on_meta(name, IMAGENET, 1000)
    assert round(n_params(model) / 1e6, 2) == mparams
    assert round(macs(model, IMAGENET) / 1e9, 3) == gmacs


@pytest.mark.parametrize(
    ("name", "shape", "given", "params", "mmacs"),
    [
        ("vit_small", CIFAR, {"patch": 4}, 21_342_346, 1_420.309248),
        ("vit_b_16", CIFAR, {"patch": 4}, 85_152_010, 5_600.994816),
        ("vit_small", IMAGENET, {}, 22_050_664, 4_598.882304),
        ("vit_b_16", IMAGENET, {}, 86_567_656, 17_563.828224),
        ("densenet121", IMAGENET, {}, 7_978_856, 2_834.161664),
    ],
)
def test_sizes_as_budgets_count_them(name, shape, given, params, mmacs):
    """The products of attention are among them."""
    model = on_meta(name, shape, 10 if shape == CIFAR else 1000, **given)
    assert n_params(model) == params
    assert count_macs(model, shape) == round(mmacs * 1e6)
    assert count_macs(model, shape) == macs(model, shape)


def test_size_of_vit_b_16_and_the_share_of_attention():
    model = on_meta("vit_b_16", IMAGENET, 1000)
    meta = get_model_weights("vit_b_16")["IMAGENET1K_V1"].meta
    assert n_params(model) == meta["num_params"] == 86_567_656
    with FlopCounterMode(display=False) as counter:
        model(torch.empty(1, *IMAGENET, device="meta"))
    by_operation = counter.get_flop_counts()["Global"]
    attention = by_operation.pop(torch.ops.aten.bmm)
    assert attention // 2 == 12 * 2 * 197**2 * 768
    assert round((sum(by_operation.values()) + attention) / 2e9, 3) == meta["_ops"]


def test_mobilenet_v2_is_torchvisions():
    theirs = get_model("mobilenet_v2", num_classes=10).eval()
    ours = on_meta("mobilenet_v2").to_empty(device="cpu").eval()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    x = torch.randn(2, 3, 65, 65)
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-5, atol=1e-5)


def test_vit_b_16_is_torchvisions_under_other_names():
    theirs = get_model("vit_b_16", num_classes=10, image_size=32).eval()
    nn.init.normal_(theirs.heads.head.weight)  # born zero: any two networks would agree
    ours = on_meta("vit_b_16").to_empty(device="cpu").eval()
    ours.load_state_dict({timm_name(k): v for k, v in theirs.state_dict().items()}, strict=True)
    x = torch.randn(2, *CIFAR)
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-4, atol=1e-4)


def test_names_of_older_files_of_vit_b_16_are_known():
    layer = "encoder.layers.encoder_layer_11.mlp"
    assert timm_name(f"{layer}.linear_1.weight") == timm_name(f"{layer}.0.weight")
    assert timm_name(f"{layer}.linear_2.bias") == "blocks.11.mlp.fc2.bias"


def test_other_vision_transformers_have_no_weights_by_name():
    with pytest.raises(WeightsFileError, match="no weights of vit_small go by a name"):
        models.get("vit_small").part.published("IMAGENET1K_V1")


@pytest.mark.parametrize("name", ["wrn_10_2", "mobilenet_v2"])
def test_a_block_of_no_inner_channels_computes_its_shortcut(name):
    family, params = models.get(name).part, models.get(name).params()
    inner = list(family.inner_widths(params))
    place = 3 if name == "mobilenet_v2" else 0  # a block beside a shortcut
    inner[place] = 0
    widths = family.stage_widths(params)
    model = family.build(family.with_widths(params, widths, tuple(inner)), 10, CIFAR).eval()
    if name == "mobilenet_v2":
        block = model.features[5]
        x = torch.randn(2, 32, 8, 8)
        assert torch.equal(block(x), x)
    else:
        block = model.block1.layer[0]
        x = torch.randn(2, 16, 8, 8)
        assert torch.equal(block(x), block.convShortcut(block.bn1(x).relu()))


@pytest.mark.parametrize(
    ("name", "params", "shape", "message"),
    [
        ("vit_small", {"patch": 5}, CIFAR, "5 does not divide images of 32 x 32"),
        ("cifar_vgg19_bn", {}, (3, 8, 8), "16 pixels a side and more, not 8 x 8"),
        ("cifar_vgg11_bn", {"inner": (0, 8, 8)}, CIFAR, "3 integers from 1 up"),
        ("mobilenet_v2", {"inner": (0, *(8,) * 15)}, CIFAR, "0 in place 1; allowed: 1 and up"),
    ],
)
def test_what_does_not_fit_is_refused(name, params, shape, message):
    with pytest.raises(ValueError, match=message):
        on_meta(name, shape, **params)


def test_heads_and_hidden_units_may_have_any_number():
    model = models.get("vit_tiny").part.build(models.get("vit_tiny").params(patch=8), 10, CIFAR)
    attention = model.blocks[0].attn
    assert attention.head_dim == 64
    attention.qkv, attention.proj = nn.Linear(192, 3 * 128), nn.Linear(128, 192)
    assert model(torch.randn(2, *CIFAR)).shape == (2, 10)
    units = attention.prunable_units()
    assert [len(channels) for channels in units.values()] == [2, 2]
    assert sorted(itertools.chain(*units["qkv", "out"])) == list(range(3 * 128))
    assert units["proj", "in"][1] == list(range(64, 128))


@pytest.mark.parametrize(
    ("name", "layer", "deviation"),
    [
        ("wrn_10_2", "block2.layer.0.conv1", math.sqrt(2 / (9 * 64))),
        ("cifar_vgg11_bn", "feature.4", math.sqrt(2 / (9 * 128))),
        ("cifar_vgg11_bn", "classifier", 0.01),
        ("densenet_bc_40", "dense1.0.conv1", math.sqrt(2 / 48)),
        ("mobilenet_v1", "blocks.2.0.conv_pw", math.sqrt(2 / 256)),
        ("mobilenet_v2", "features.7.conv.2", math.sqrt(2 / 64)),
        ("vit_tiny", "blocks.0.attn.qkv", 0.02),
        ("vit_tiny", "blocks.11.mlp.fc2", 0.02),
    ],
)
def test_init_is_the_published_one_whatever_was_there(name, layer, deviation):
    family, params = models.get(name).part, models.get(name).params()
    model = family.build(params, 10, CIFAR)
    for tensor in model.state_dict().values():
        tensor.fill_(7)
    family.initialise(model)
    weight = model.get_submodule(layer).weight.detach()
    assert weight.std().item() == pytest.approx(deviation, rel=6 / math.sqrt(weight.numel()))
    assert abs(weight.mean()) < 6 * deviation / math.sqrt(weight.numel())
    for key, tensor in model.state_dict().items():
        assert not (tensor == 7).any(), key
        if key.endswith("bias") and "patch_embed" not in key:  # as torch draws it
            assert (tensor == 0).all(), key


def test_tokens_and_positions_have_their_own_init():
    family, params = models.get("vit_tiny").part, models.get("vit_tiny").params(patch=4)
    model = family.build(params, 10, CIFAR)
    family.initialise(model)
    assert model.pos_embed.shape == (1, 65, 192)
    assert model.pos_embed.std().item() == pytest.approx(0.02, rel=0.1)
    assert 0 < model.cls_token.abs().max() < 1e-5
