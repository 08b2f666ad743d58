from __future__ import annotations

import numpy as np
import pytest
import torch
import torch_pruning as tp
from torch import nn
from torchvision.models.vgg import make_layers

from prunetune.compress.budget.costs import CostTable, count_macs
from prunetune.compress.network.cut import cut, kept_channels, other_units
from prunetune.compress.network.rebuild import layer_widths, rebuild
from prunetune.compress.network.remaining import remaining_groups
from prunetune.compress.proof.proved_groups import find_groups, prunable_groups
from prunetune.testing.model_laws import silenced
from tests.compress.nets import SMALL, architecture, image, trained

NETWORKS = [
    ("resnet20", {"shortcut": "A"}),
    ("resnet20", {"shortcut": "B"}),
    ("resnet56", {"shortcut": "A"}),
    ("resnet18", {"stem": "cifar", "widths": (16, 32, 64, 128)}),
    ("resnet50", {"widths": (16, 32, 64, 128)}),
    *[
        pytest.param(name, params, marks=pytest.mark.slow)
        for name, params in (
            ("wide_resnet50_2", {"widths": (8, 16, 32, 64)}),
            ("resnext50_32x4d", {}),
            ("densenet121", {}),
        )
    ],
    *SMALL,
]


@pytest.mark.parametrize(("name", "params"), NETWORKS)
def test_a_cut_network_is_the_dense_one_with_those_channels_silenced(
    name: str, params: dict[str, object]
) -> None:
    network = architecture(name, **params)
    model = trained(network).double().eval()
    groups = prunable_groups(model, network)
    generator = np.random.default_rng(1)
    removed = [sorted(generator.permutation(g.width)[: g.width // 2].tolist()) for g in groups]
    narrow = cut(model, groups, removed)
    x = image(network)
    with torch.no_grad():
        expected = silenced(model, groups, removed)(x)
        torch.testing.assert_close(narrow(x), expected, rtol=0, atol=1e-12 * expected.abs().max())
        assert not torch.allclose(model(x), expected)  # else the law would hold for any network

    compact = network.model_copy(update={"layers": layer_widths(narrow)})
    again = rebuild(type(compact).model_validate_json(compact.model_dump_json())).double().eval()
    again.load_state_dict(narrow.state_dict())
    with torch.no_grad():
        assert torch.equal(again(x), narrow(x))
    costs = CostTable.measure(model, network.input_shape, groups)
    widths = [g.width - len(units) for g, units in zip(groups, removed, strict=True)]
    assert count_macs(again, network.input_shape) == costs.macs(widths)


def test_a_flattening_network_is_cut_at_every_position() -> None:
    widths: list[str | int] = [8, "M", 8, "M", *[16] * 4, "M", *[32] * 4, "M", *[32] * 4]
    features = make_layers(widths, batch_norm=True)  # VGG-19-bn, an eighth as wide
    model = nn.Sequential(features, nn.Flatten(), nn.Linear(32 * 4, 64), nn.Linear(64, 10))
    model.double().eval()
    groups = find_groups(model, (3, 32, 32), [model[3]])
    assert len(groups) == 15
    removed = [list(range(0, g.width, 3)) for g in groups]
    narrow = cut(model, groups, removed)
    x = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(narrow(x), silenced(model, groups, removed)(x))


@pytest.mark.parametrize("name", ["resnet14", "resnext50_32x4d", "mobilenet_v2", "densenet_bc_40"])
def test_a_cut_is_what_torch_pruning_does(name: str) -> None:
    network = architecture(name)
    model = trained(network).eval()
    groups = prunable_groups(model, network)
    removed = [list(range(0, g.width, 3)) for g in groups]
    narrow = cut(model, groups, removed)
    graph = tp.DependencyGraph().build_dependency(model, (image(network, torch.float32),))
    for group, units in zip(groups, removed, strict=True):
        layer = model.get_submodule(group.name)
        prune = graph.get_pruner_of_module(layer).prune_out_channels
        graph.get_pruning_group(layer, prune, group.channels(units)).prune()
    for ours, theirs in zip(narrow.state_dict().values(), model.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)


def test_kept_channels_are_those_whose_weights_stay() -> None:
    network = architecture("resnet14")
    model = trained(network)
    groups = prunable_groups(model, network)
    removed = [(1, 3)] * len(groups)
    narrow = cut(model, groups, removed)
    for name, channels in kept_channels(groups, removed).items():
        bias = f"{name.replace('conv', 'bn')}.bias"
        assert torch.equal(model.state_dict()[bias][channels], narrow.state_dict()[bias])


@pytest.mark.parametrize(("name", "params"), [("resnet14", {}), ("vit_tiny", {"patch": 16})])
def test_cutting_in_two_rounds_is_cutting_at_once(name: str, params: dict[str, object]) -> None:
    network = architecture(name, **params)
    model = trained(network)
    groups = prunable_groups(model, network)
    at_once = cut(model, groups, [(0, 2)] * len(groups))
    half = cut(model, groups, [(2,)] * len(groups))
    twice = cut(half, prunable_groups(half, network), [(0,)] * len(groups))
    for a, b in zip(at_once.state_dict().values(), twice.state_dict().values(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize(("name", "params"), [("resnet14", {"shortcut": "A"}), *SMALL])
def test_the_groups_that_remain_are_those_of_the_narrow_network(
    name: str, params: dict[str, object]
) -> None:
    network = architecture(name, **params)
    groups = prunable_groups(trained(network), network)
    removed = [range(0, group.width - 1, 2) for group in groups]
    narrow = cut(trained(network), groups, removed)
    remaining = remaining_groups(groups, other_units(groups, removed))
    for group, found in zip(remaining, prunable_groups(narrow, network), strict=True):
        assert group is not None
        for ours, theirs in ((group.members, found.members), (group.gates, found.gates)):
            for member, other in zip(ours, theirs, strict=True):
                assert (member.layer, member.side) == (other.layer, other.side)
                assert np.array_equal(member.index, other.index)


def test_a_group_without_units_is_none() -> None:
    network = architecture("resnet14")
    groups = prunable_groups(trained(network), network)
    kept = [() if i == 1 else range(group.width) for i, group in enumerate(groups)]
    remaining = remaining_groups(groups, kept)
    assert [group is None for group in remaining] == [i == 1 for i in range(len(groups))]
