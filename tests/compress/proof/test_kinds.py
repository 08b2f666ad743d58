"""Whatever a network does with its channels: a cut that is accepted is right."""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.flop_counter import FlopCounterMode

from prunetune.compress.budget.costs import CostTable
from prunetune.compress.graph.groups import Group
from prunetune.compress.graph.layout import set_entries
from prunetune.compress.network.cut import cut
from prunetune.compress.proof.proved_groups import Proved, find_groups, prove
from prunetune.testing.networks import as_if_trained
from tests.compress.proof.kinds import SHAPE, Network, networks

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the old forms of weight norm
    KINDS = networks()
TRACED = [name for name, (_, right) in KINDS.items() if right]
CONSTANT_BEHIND = {"sigmoid"}
"""Where a channel that is written as zero is not zero at its readers."""


@cache
def proved(name: str) -> Proved:
    model = KINDS[name][0]
    return prove(model, SHAPE, [model.head])


@pytest.mark.parametrize("name", TRACED)
def test_only_right_groups_are_accepted_and_others_are_named(name: str) -> None:
    model, right = KINDS[name]
    found = proved(name)
    assert tuple(group.name for group in found.groups) == right
    layers = dict(model.named_modules())
    for entry in found.left_alone:
        assert entry.layer in layers
        assert entry.reason
        assert 0 <= entry.share < 0.9


@torch.no_grad()
def silent(model: nn.Module, groups: tuple[Group, ...], removed: list[list[int]]) -> nn.Module:
    """The network with the filters, biases, scales and shifts of these units set to zero."""
    model = cut(model, (), ())
    for group, units in zip(groups, removed, strict=True):
        for member in group.writers:
            layer = model.get_submodule(member.layer)
            channels = torch.from_numpy(member.index[units].ravel())
            for parameter in layer.parameters(recurse=False):
                set_entries(layer, parameter, "out", channels, 0.0)
    return model


@pytest.mark.parametrize("name", [name for name in TRACED if name not in CONSTANT_BEHIND])
def test_an_accepted_cut_is_the_silent_network_and_has_the_promised_macs(name: str) -> None:
    model: Network = as_if_trained(KINDS[name][0]).double().eval()  # type: ignore[assignment]
    groups = proved(name).groups
    x = torch.randn(3, *SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for seed in range(3):
        generator = np.random.default_rng(seed)
        removed = [generator.permutation(g.width)[: generator.integers(1, g.width)] for g in groups]
        units = [sorted(r.tolist()) for r in removed]
        narrow = cut(model, groups, units)
        with torch.no_grad():
            torch.testing.assert_close(narrow(x), silent(model, groups, units)(x))
        with FlopCounterMode(display=False) as counter:
            narrow(x[:1])
        widths = [g.width - len(u) for g, u in zip(groups, units, strict=True)]
        promised = CostTable.measure(model, SHAPE, groups).macs(widths)
        assert counter.get_total_flops() == 2 * promised


def test_a_network_whose_path_depends_on_the_image_is_refused_by_layer() -> None:
    model = KINDS["path by the image"][0]
    with pytest.raises(ValueError, match=r"through body .*depends on the numbers in an image"):
        find_groups(model, SHAPE, [model.head])


def test_a_network_without_any_right_cut_is_refused_by_layer() -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.GroupNorm(2, 8), nn.Flatten(), nn.Linear(8 * 36, 10)
    )
    with pytest.raises(ValueError, match=r"no channels of Sequential can be pruned: 0: 1 \(GroupN"):
        find_groups(model, SHAPE, [model[3]])
    assert find_groups(model[:3], SHAPE, [model[0]]) == ()


def test_channels_that_are_the_output_stay() -> None:
    model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.Flatten(), nn.Linear(8 * 36, 10))
    assert [group.name for group in find_groups(model, SHAPE)] == ["0"]


def test_a_norm_that_forgets_is_cut_by_the_statistics_of_its_batch() -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8, track_running_stats=False), nn.Flatten(),
        nn.Linear(8 * 36, 10),
    )  # fmt: skip
    assert isinstance(model[1], _BatchNorm)
    assert [group.name for group in find_groups(model, SHAPE, [model[3]])] == ["0"]
