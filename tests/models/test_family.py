"""Laws of every family in the registry."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from collections import defaultdict

import pytest
import torch
from torch import nn

from prunetune.models.family import classifier
from prunetune.registry import models

NAMES = [name for name in models.names() if name != "module"]  # it is any network of a user
SCALED = [n for n in NAMES if models.get(n).part.stage_widths(models.get(n).params()) is not None]
MEMBERS = defaultdict(list)
for _name in NAMES:
    MEMBERS[type(models.get(_name).part), re.match("[a-z]+", _name)[0]].append(_name)
EXTREMES = {name for members in MEMBERS.values() for name in (members[0], members[-1])}
"""The first and the last network of every family; tests of those between them are slow."""


def by_size(names: list[str]) -> list:
    return [n if n in EXTREMES else pytest.param(n, marks=pytest.mark.slow) for n in names]


CLASSES, SHAPE = 7, (3, 64, 64)


def built(name: str, params=None, device: str = "meta") -> nn.Module:
    entry = models.get(name)
    with torch.device(device):
        return entry.part.build(params or entry.params(), CLASSES, SHAPE)


@pytest.mark.slow
@pytest.mark.parametrize("name", by_size(NAMES))
def test_gives_logits_and_keeps_its_classifier(name):
    model = built(name).eval()
    logits = model(torch.empty(2, *SHAPE, device="meta"))
    assert logits.shape == (2, CLASSES)
    ignored = models.get(name).part.ignored_layers(model)
    assert any(layer is classifier(model) for layer in ignored)
    assert classifier(model).out_features == CLASSES


@pytest.mark.parametrize("name", by_size(SCALED))
def test_with_its_own_widths_a_network_is_itself(name):
    entry = models.get(name)
    family, params = entry.part, entry.params()
    for inner in (None, family.inner_widths(params)):
        same = family.with_widths(params, family.stage_widths(params), inner)
        assert shapes(built(name, same)) == shapes(built(name))


@pytest.mark.parametrize("name", by_size(SCALED))
def test_widths_set_channels_and_leave_the_tree_alone(name):
    entry = models.get(name)
    family, params = entry.part, entry.params()
    widths = tuple(1009 + i for i in range(len(family.stage_widths(params))))
    inner = tuple(3001 + i for i in range(len(family.inner_widths(params))))
    thin = family.with_widths(params, widths, inner)
    assert family.stage_widths(thin) == widths
    assert family.inner_widths(thin) == inner
    model = built(name, thin)
    assert list(shapes(model)) == list(shapes(built(name)))
    outs = [m.out_channels for m in model.modules() if isinstance(m, nn.Conv2d)]
    inside = [width for width, _ in itertools.groupby(outs) if width in inner]
    assert list(dict.fromkeys(inside)) == list(inner)
    expansion = classifier(model).in_features // widths[-1]
    assert {width * expansion for width in widths} <= set(outs)


@pytest.mark.parametrize("name", by_size(SCALED))
def test_a_block_without_inner_channels_is_its_shortcut_or_refused(name):
    entry = models.get(name)
    family, params = entry.part, entry.params()
    inner = family.inner_widths(params)
    alone = family.with_widths(params, family.stage_widths(params), (*inner[:-1], 0))
    if name.startswith(("cifar_vgg", "mobilenet")):  # their last block has no shortcut
        with pytest.raises(ValueError, match="allowed: "):
            built(name, alone)
        return
    model = built(name, alone).eval()
    removed = set(shapes(built(name))) - set(shapes(model))
    assert removed
    assert model(torch.empty(2, *SHAPE, device="meta")).shape == (2, CLASSES)


@pytest.mark.parametrize("name", by_size(SCALED))
@pytest.mark.parametrize("fault", ["one stage", "a zero", "one inner width"])
def test_widths_that_do_not_fit_are_refused(name, fault):
    entry = models.get(name)
    family, params = entry.part, entry.params()
    widths, inner = family.stage_widths(params), None
    if fault == "one stage":
        widths = widths[:1]
    elif fault == "a zero":
        widths = (*widths[:-1], 0)
    else:
        inner = (4,)
    with pytest.raises(ValueError, match="allowed: "):
        built(name, family.with_widths(params, widths, inner))


HOOKED = ["resnet20", "resnet18", "resnet50", "wrn_10_2"]
HOOKED += ["cifar_vgg11_bn", "densenet_bc_40", "mobilenet_v1", "mobilenet_v2"]


@pytest.mark.parametrize("name", HOOKED)
def test_hooks_see_outputs_that_nobody_changes_later(name):
    model = built(name, device="cpu")
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    for module in model.modules():
        if not list(module.children()) and not isinstance(module, nn.Identity):
            module.register_forward_hook(lambda _m, _x, out: seen.append((out, out.clone())))
            module.register_full_backward_hook(lambda *_: None)
    model(torch.randn(2, *SHAPE, requires_grad=True)).sum().backward()
    assert len(seen) > 10
    assert all(torch.equal(now, then) for now, then in seen)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("resnet20", {"shortcut": "A"}),
        ("resnet20", {"shortcut": "B"}),
        ("resnet50", {}),
        ("wrn_10_2", {}),
        ("densenet_bc_40", {}),
        ("mobilenet_v2", {}),
    ],
)
def test_activations_stay_in_channels_last_memory(name, params):
    model = (
        built(name, models.get(name).params(**params), "cpu")
        .to(memory_format=torch.channels_last)
        .eval()
    )
    x = torch.randn(2, *SHAPE)
    contiguous = model(x)
    formats: list[bool] = []
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.BatchNorm2d) or hasattr(module, "shortcut"):
            module.register_forward_hook(
                lambda _m, _x, out: formats.append(
                    out.is_contiguous(memory_format=torch.channels_last)
                )
            )
    logits = model(x.contiguous(memory_format=torch.channels_last))
    assert formats
    assert all(formats)
    torch.testing.assert_close(logits, contiguous, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_torchvision_is_imported_by_its_own_networks_alone():
    code = (
        "import sys; from prunetune.registry import models; entry = models.get('resnet50');"
        "entry.part.build(entry.params(), 10, (3, 64, 64)); print('torchvision' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def shapes(model: nn.Module) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in model.state_dict().items()}
