from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from prunetune.compress.network.cut import cut
from prunetune.compress.network.masks import MaskHook, unit_masks
from prunetune.compress.proof.proved_groups import find_groups, prunable_groups
from prunetune.config.recipe import Recipe
from prunetune.records.files import StoredFile
from prunetune.train.checkpoint import CheckpointFile
from prunetune.train.loop import train
from tests.compress.nets import architecture, image, trained
from tests.train.conftest import CPU, SEEDS, splits, tiny_network  # noqa: F401


@pytest.mark.parametrize(("name", "params"), [
    ("resnet14", {"shortcut": "A"}), ("resnet14", {}), ("mobilenet_v2", {}),
    *(pytest.param(n, {}, marks=pytest.mark.slow) for n in ("densenet121", "resnext50_32x4d")),
])  # fmt: skip
def test_a_masked_network_computes_what_the_cut_one_does(name: str, params: Any) -> None:
    network = architecture(name, **params)
    model = trained(network).double().eval()
    groups = prunable_groups(model, network)
    generator = np.random.default_rng(2)
    removed = [sorted(generator.permutation(g.width)[: g.width // 2].tolist()) for g in groups]
    narrow = cut(model, groups, removed)
    MaskHook(unit_masks(model, groups, removed)).apply(model)
    x = image(network)
    with torch.no_grad():
        expected = narrow(x)
        torch.testing.assert_close(model(x), expected, rtol=0, atol=1e-12 * expected.abs().max())


def test_removed_units_get_no_gradient() -> None:
    network = architecture("resnet14")
    model = trained(network).train()
    groups = prunable_groups(model, network)
    masks = unit_masks(model, groups, [range(0, g.width, 2) for g in groups])
    hook = MaskHook(masks)
    hook.begin(model)
    model(image(network, torch.float32)).square().sum().backward()
    for name, mask in masks.items():
        parameter = model.get_parameter(name)
        assert not parameter[~mask].any()
        assert not parameter.grad[~mask].any()  # type: ignore[index]
        assert parameter.grad.any()  # type: ignore[union-attr]


def test_no_masks_change_no_bit(splits: Any) -> None:  # noqa: F811
    recipe = Recipe(batch_size=16, ema=0.5)
    models = []
    for hooks in ((), (MaskHook(),)):
        models.append(tiny_network())
        list(train(models[-1], splits, recipe, 1, seeds=SEEDS, device=CPU, hooks=hooks))
    for a, b in zip(*(m.state_dict().values() for m in models), strict=True):
        assert torch.equal(a, b)


def test_masks_hold_through_training_and_its_average_and_come_back(
    splits: Any,  # noqa: F811
    tmp_path: Any,
) -> None:
    model = tiny_network()
    (group, _) = find_groups(model, (3, 8, 8), [model[9]])
    masks = unit_masks(model, [group], [(1, 5)])
    recipe = Recipe(batch_size=16, ema=0.9)
    file = CheckpointFile(StoredFile(tmp_path / "c"))

    def run(model: nn.Module, hook: MaskHook, epochs: int) -> None:
        epoch_reports = train(model, splits, recipe, 2, seeds=SEEDS, device=CPU, hooks=[hook],
                      checkpoint=file)  # fmt: skip
        for _, _ in zip(range(epochs), epoch_reports, strict=False):
            pass

    run(copy.deepcopy(model), MaskHook(masks), 1)
    again = MaskHook()  # its masks come from the checkpoint
    run(model, again, 3)
    assert again.masks.keys() == masks.keys()
    for name, mask in masks.items():
        assert torch.equal(again.masks[name], mask)
        weight = model.get_parameter(name)
        assert not weight[~mask].any()
        assert weight[mask].all()
