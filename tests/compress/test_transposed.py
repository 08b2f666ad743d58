"""Transposed convolutions: cut, masked, scored and regularised as the plain ones that equal them.

A transposed convolution of stride 1 computes what a plain one does whose kernel is turned round.
So a network of the one kind has a twin of the other, and every score of the two must agree.
"""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from prunetune.compress.budget.costs import CostTable, count_macs
from prunetune.compress.graph.groups import Group
from prunetune.compress.network.cut import cut, other_units
from prunetune.compress.network.masks import MaskHook, unit_masks
from prunetune.compress.network.rebuild import layer_widths, resize
from prunetune.compress.proof.proved_groups import find_groups
from prunetune.compress.scoring.positions import SampleParams
from prunetune.compress.scoring.readers import grams, is_read
from prunetune.config.parts import Named
from prunetune.registry import criteria, regularizers
from prunetune.testing.networks import as_if_trained
from tests.compress.gradients import CLASSES, SHAPE, images, scene_of


class Decoder(nn.Module):
    """A sum of plain and transposed layers, one grouped, one depthwise, one behind a flattening."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        more = {"stride": stride, "output_padding": stride - 1}
        self.stem, self.norm = nn.Conv2d(3, 8, 3, 2), nn.BatchNorm2d(8)
        self.grouped = nn.ConvTranspose2d(8, 12, (3, 2), padding=(2, 0), groups=2, **more)
        self.depth = nn.ConvTranspose2d(12, 12, 3, padding=1, groups=12, bias=False)
        self.skip = nn.ConvTranspose2d(8, 12, (2, 1), dilation=(1, 2), **more)
        self.last = nn.ConvTranspose2d(12, 6, 2, bias=False)
        self.fc = nn.Linear(6, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm(self.stem(x)))
        y, z = self.depth(F.relu(self.grouped(x))), self.skip(x)
        y = F.relu(y[..., : z.shape[3]] + z[..., : y.shape[2], : y.shape[3]])
        logits: Tensor = self.fc(F.relu(self.last(y)).mean((2, 3)))
        return logits


def plain(layer: nn.ConvTranspose2d) -> nn.Conv2d:
    """The plain convolution that equals a transposed one of stride 1."""
    (p, q), (d, e), (k, m) = layer.padding, layer.dilation, layer.kernel_size
    a, b, g = layer.in_channels, layer.out_channels, layer.groups
    conv = nn.Conv2d(
        a, b, (k, m), padding=(d * (k - 1) - p, e * (m - 1) - q), dilation=(d, e), groups=g,
        bias=layer.bias is not None,
    )  # fmt: skip
    blocks = layer.weight.data.view(g, a // g, b // g, k, m).transpose(1, 2)
    conv.weight.data = blocks.reshape(b, a // g, k, m).flip(2, 3)
    if layer.bias is not None:
        conv.bias = layer.bias
    return conv


@cache
def decoder(stride: int) -> tuple[nn.Module, tuple[Group, ...]]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = as_if_trained(Decoder(stride)).double().eval()
    return model, find_groups(model, SHAPE, [model.get_submodule("fc")])


@cache
def twins() -> tuple[tuple[nn.Module, tuple[Group, ...]], tuple[nn.Module, tuple[Group, ...]]]:
    model, groups = decoder(1)
    twin = copy.deepcopy(model)
    for name, layer in model.named_children():
        if isinstance(layer, nn.ConvTranspose2d):
            setattr(twin, name, plain(layer))
    twin.double().eval()
    torch.testing.assert_close(twin(images(2)[0]), model(images(2)[0]))
    return (model, groups), (twin, find_groups(twin, SHAPE, [twin.get_submodule("fc")]))


def halves(groups: tuple[Group, ...]) -> list[list[int]]:
    generator = torch.Generator().manual_seed(4)
    return [
        sorted(torch.randperm(g.width, generator=generator)[: g.width // 2].tolist())
        for g in groups
    ]


@pytest.mark.parametrize("stride", [1, 2])
def test_cut_and_masked_they_compute_what_the_network_does_that_reads_nothing_of_the_rest(
    stride: int,
) -> None:
    model, groups = decoder(stride)
    assert [(g.name, g.width) for g in groups] == [("stem", 4), ("grouped", 6), ("last", 6)]
    sides = {(m.layer, m.side) for g in groups for m in g.members}
    assert {("grouped", "out"), ("grouped", "in"), ("depth", "out"), ("last", "in")} < sides
    removed = halves(groups)
    narrow, deaf, masked = cut(model, groups, removed), copy.deepcopy(model), copy.deepcopy(model)
    for group, units in zip(groups, removed, strict=True):
        for member in (m for m in group.members if m.side == "in"):
            channels = member.index[units].ravel().tolist()

            def silence(layer: nn.Module, inputs: Any, channels: Any = channels) -> Tensor:
                x: Tensor = inputs[0].clone()
                x[:, channels] = 0
                return x

            deaf.get_submodule(member.layer).register_forward_pre_hook(silence)
    MaskHook(unit_masks(model, groups, removed)).apply(masked)
    x, _ = images(3)
    expected = deaf(x)
    assert not torch.allclose(model(x), expected)
    torch.testing.assert_close(narrow(x), expected)
    torch.testing.assert_close(masked(x), expected)
    costs = CostTable.measure(model, SHAPE, groups)
    widths = [g.width - len(units) for g, units in zip(groups, removed, strict=True)]
    assert costs.macs(widths) == count_macs(narrow, SHAPE)
    assert narrow.get_submodule("depth").groups == 6
    again = copy.deepcopy(model)
    resize(again, layer_widths(narrow))
    again.load_state_dict(narrow.state_dict())
    assert torch.equal(again(x), narrow(x))


class Scaled(nn.Conv2d):
    """A layer of a class of its own, made from other arguments than its parent."""

    def __init__(self, width: int, factor: float) -> None:
        super().__init__(width, width, 3, padding=1)
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * super().forward(x)


def test_layers_of_any_class_are_resized_as_they_are() -> None:
    def network() -> nn.Module:
        return nn.Sequential(Scaled(3, 0.5), nn.Conv2d(3, 6, 1), Scaled(6, 2.0), nn.Conv2d(6, 4, 1))

    model, again = network(), network()
    groups = find_groups(model, (3, 4, 4), [model[3]])
    narrow = cut(model, groups, [range(1)] * len(groups))
    resize(again, layer_widths(narrow))
    again.load_state_dict(narrow.state_dict())
    x = torch.ones(1, 3, 4, 4)
    assert torch.equal(again(x), narrow(x))
    assert [group.width for group in groups] == [3, 6, 6]


@pytest.mark.parametrize("name", criteria.names())
def test_every_criterion_scores_twins_alike(name: str) -> None:
    looks = "images" in criteria.get(name).params.model_fields
    params: dict[str, Any] = {"images": 8} if looks else {}
    criterion, scores = criteria.make(Named(name=name, params=params)), []
    for model, groups in twins():
        scored = [group for group in groups if criterion.applies(model, group)]
        scores.append(criterion.score(scene_of(model, scored)))
    assert len(scores[0]) == (1 if name == "bn_scale" else 3)
    for ours, theirs in zip(*scores, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("name", ["cp", "thinet"])
def test_a_refit_mends_twins_alike(name: str) -> None:
    made = criteria.make(Named(name=name, params={"images": 8, "positions": 200}))
    outputs = []
    for model, groups in twins():
        removed = halves(groups)
        small = cut(model, groups, removed)
        weight = small.get_parameter("last.weight").clone()
        made.refit(scene_of(model, groups), small, other_units(groups, removed))
        outputs.append(small(images(8)[0]))
        assert not torch.allclose(small.get_parameter("last.weight"), weight)
    torch.testing.assert_close(*outputs, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("stride", [1, 2])
def test_contributions_are_those_of_single_channels(stride: int) -> None:
    model, groups = decoder(stride)
    x, _ = images(4)
    sampled_grams = grams(scene_of(model, groups, 4), "cp", SampleParams(images=4, positions=400))
    for group, sampled in zip(groups, sampled_grams, strict=True):
        assert is_read(model, group)
        total = torch.zeros_like(sampled)
        for member in (m for m in group.members if m.side == "in"):
            layer, seen = model.get_submodule(member.layer), list[Tensor]()
            handle = layer.register_forward_hook(lambda _, i, o, seen=seen: seen.append(i[0]))
            model(x)
            handle.remove()
            nothing = layer(torch.zeros_like(seen[0]))
            parts = []
            for channels in member.index:
                only = torch.zeros_like(seen[0])
                only[:, channels] = seen[0][:, channels]
                parts.append((layer(only) - nothing).flatten())
            stacked = torch.stack(parts)
            total += stacked @ stacked.T / (layer(seen[0]) - nothing).square().sum()
        torch.testing.assert_close(sampled, total.detach())


@pytest.mark.parametrize("name", regularizers.names())
def test_every_regularizer_shrinks_twins_alike(name: str) -> None:
    added = []
    for model, groups in twins():
        model = copy.deepcopy(model)
        for parameter in model.parameters():
            parameter.grad = torch.full_like(parameter, 0.5)
        hook = regularizers.make(Named(name=name, params={"strength": 0.25})).hook(groups, 10)
        hook.after_backward(model, 9)
        for layer in model.children():  # shapes the gradients as weights of plain convolutions
            layer.weight.data = layer.weight.grad
        added.append({n: plain(m).weight if isinstance(m, nn.ConvTranspose2d) else m.weight
                      for n, m in model.named_children()})  # fmt: skip
    assert any(bool((weight != 0.5).any()) for weight in added[0].values())
    for layer, weight in added[0].items():
        torch.testing.assert_close(weight, added[1][layer])
