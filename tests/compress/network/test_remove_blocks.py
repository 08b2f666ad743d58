from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from prunetune.compress.budget.costs import CostTable, count_macs
from prunetune.compress.method import CompactModel
from prunetune.compress.methods.channel_pruning.method import ChannelPruning
from prunetune.compress.methods.channel_pruning.params import ChannelPruningParams
from prunetune.compress.network.masks import MaskHook, unit_masks
from prunetune.compress.network.rebuild import fresh, rebuild
from prunetune.compress.network.remove_blocks import narrow, removable
from prunetune.compress.proof.proved_groups import prunable_groups
from prunetune.records.architecture import Architecture
from prunetune.registry import models
from tests.compress.nets import architecture, context, image, trained

NETWORKS = [
    ("resnet20", {"shortcut": "A"}),
    ("resnet20", {"shortcut": "B"}),
    ("resnet18", {"stem": "cifar", "widths": (8, 16, 24, 32)}),
    ("wrn_16_1", {}),
]


@pytest.mark.parametrize(("name", "params"), NETWORKS)
def test_a_network_without_a_block_is_the_dense_one_with_its_branch_silenced(
    name: str, params: dict[str, Any]
) -> None:
    network = architecture(name, **params)
    model = trained(network).double().eval()
    groups = prunable_groups(model, network)
    blocks = removable(network, groups)
    family = models.get(name).part
    assert len(blocks) == len(family.inner_widths(models.get(name).params(**params)))
    first, *_, last = blocks
    removed = [range(g.width) if i in (first, last) else (0,) for i, g in enumerate(groups)]
    narrowed, found = narrow(model, network, groups, removed)
    removed_layers = {*blocks[first], *blocks[last]}
    assert removed_layers
    assert not removed_layers & found.layers.keys()
    assert not removed_layers & {layer for layer, _ in narrowed.named_modules()}
    assert found.params["inner"].count(0) == 2

    silent = copy.deepcopy(model)
    MaskHook(unit_masks(silent, groups, removed, removed_layers)).apply(silent)
    x = image(network)
    with torch.no_grad():
        expected = silent(x)
        torch.testing.assert_close(
            narrowed(x), expected, rtol=0, atol=1e-12 * float(expected.abs().max())
        )
    widths = [g.width - len(units) for g, units in zip(groups, removed, strict=True)]
    costs = CostTable.measure(model, network.input_shape, groups)
    assert count_macs(narrowed, network.input_shape) == costs.macs(widths)
    _holds(narrowed, found)


def _holds(model: torch.nn.Module, found: Architecture) -> None:
    """The network is rebuilt bit for bit, and can be made with fresh weights."""
    found = Architecture.model_validate_json(found.model_dump_json())
    again = rebuild(found).to(next(model.parameters()).dtype)
    again.load_state_dict(model.state_dict())
    x = torch.randn(2, *found.input_shape, dtype=next(model.parameters()).dtype)
    with torch.no_grad():
        assert torch.equal(again.eval()(x), model.eval()(x))
        assert fresh(found, 3).eval()(x.float()).isfinite().all()


def test_narrowing_keeps_modes_and_frozen_parameters() -> None:
    network = architecture("resnet14")
    model = trained(network).train()
    model.get_submodule("layer3.1.conv1").requires_grad_(False)
    model.get_submodule("layer2").eval()
    groups = prunable_groups(model, network)
    (block,) = [i for i in removable(network, groups) if groups[i].name == "layer1.1.conv1"]
    removed = [range(g.width) if i == block else () for i, g in enumerate(groups)]
    found, _ = narrow(model, network, groups, removed)
    for name, layer in found.named_modules():
        assert layer.training == model.get_submodule(name).training
    for name, parameter in found.named_parameters():
        assert parameter.requires_grad == model.get_parameter(name).requires_grad


@pytest.mark.parametrize("name", ["resnet50", "mobilenet_v2"])
def test_a_branch_of_several_groups_or_none_is_not_removable(name: str) -> None:
    params = {"widths": (8, 8, 8, 8)} if name == "resnet50" else {}
    network = architecture(name, **params)
    with torch.device("meta"):
        model = models.get(name).part.build(models.get(name).params(**params), 10, (3, 32, 32))
    assert removable(network, prunable_groups(model, network)) == {}


def test_bottlenecks_can_be_built_without_their_branch() -> None:
    params: dict[str, Any] = {"widths": (8, 8, 8, 8), "inner": (8,) * 15 + (0,)}
    network = architecture("resnet50", **params)
    assert not [name for name in network.layers if name.startswith("layer4.2.")]
    assert fresh(network, 0)(image(network, torch.float32)).isfinite().all()


@pytest.mark.slow
@pytest.mark.parametrize("scope", ["local", "protected_global", "isomorphic", "per_group"])
@pytest.mark.parametrize("steps", [1, 3])
def test_blocks_are_removed_under_any_scope_and_the_budget_is_met(scope: str, steps: int) -> None:
    network = architecture("resnet20", shortcut="A")
    given = context(network, 0.03 if scope == "local" else 0.1)
    given.target = type(given.target)(given.target.macs, given.target.dense_macs, 0.05)
    ratios = {"layer1/1": 9.0, "layer2/2": 9.0}
    params = ChannelPruningParams(scope=scope, floor=0, steps=steps, ratios=ratios)  # type: ignore[arg-type]
    found = ChannelPruning(params).run(given)
    assert isinstance(found, CompactModel)
    assert given.target.lowest <= found.macs <= given.target.macs
    assert found.macs == count_macs(found.model, network.input_shape)
    if scope == "per_group":
        assert found.architecture.params["inner"][1] == 0
    empty = [name for name, channels in found.kept.items() if not channels]
    inner = found.architecture.params.get("inner", ())
    assert len(empty) == list(inner).count(0)
    _holds(found.model, found.architecture)


def test_the_residual_stream_keeps_a_channel_whatever_the_floor() -> None:
    network = architecture("resnet14")
    smallest = context(network, 0.0004)
    found = ChannelPruning(ChannelPruningParams(floor=0, scope="global")).reach(
        network, [smallest.target]
    )[0]
    # one channel everywhere in the stream, no blocks: stem, two projections and the classifier
    assert found.smallest_macs == 3 * 9 * 32 * 32 + 16 * 16 + 8 * 8 + 10
