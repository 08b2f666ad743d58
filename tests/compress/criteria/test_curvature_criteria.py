from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from prunetune.compress.scoring.per_unit import per_unit
from prunetune.compress.scoring.squared_gradients import sampled_labels, squared_gradients
from tests.compress.gradients import CLASSES, KINDS, groups, images, network, scene_of, score

COUNTED = (_ConvNd, nn.Linear, nn.BatchNorm2d, nn.LayerNorm)


def one_by_one(model: nn.Module, y: Tensor | None = None) -> dict[str, Tensor]:
    """E_n[(∂L_n/∂w)²] of every layer, by a loop over single images."""
    model = copy.deepcopy(model)
    x, labels = images(8)
    layers = {n: m for n, m in model.named_modules() if isinstance(m, COUNTED)}
    sums: dict[str, Any] = dict.fromkeys(layers, 0)
    for n in range(8):
        model.zero_grad()
        F.cross_entropy(model(x[n : n + 1]), (labels if y is None else y)[n : n + 1]).backward()
        for name, layer in layers.items():
            assert isinstance(layer.weight, Tensor)
            assert layer.weight.grad is not None
            sums[name] += layer.weight.grad.square()
    return {name: total / 8 for name, total in sums.items()}


class Twice(nn.Module):
    """One convolution and one linear layer, each used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.fc, self.head = nn.Linear(3, 3), nn.Linear(3, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv(F.relu(self.conv(x)))).mean((2, 3))
        logits: Tensor = self.head(self.fc(F.relu(self.fc(x))))
        return logits


@pytest.mark.parametrize("kind", [*KINDS, "twice"])
def test_every_image_has_its_own_gradient_in_every_layer(kind: str) -> None:
    model = Twice().double() if kind == "twice" else network(kind)
    expected = one_by_one(model)
    squares = squared_gradients(scene_of(model, ()), "test", 8, list(expected))
    for name, value in expected.items():
        torch.testing.assert_close(squares[name], value, rtol=1e-9, atol=1e-18, msg=name)


def test_the_bound_on_memory_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = scene_of(network("resnext"), groups("resnext"))
    whole = score("obd_hessian", scene)
    monkeypatch.setattr("prunetune.compress.scoring.squared_gradients._PATCH_ELEMENTS_AT_ONCE", 1)
    monkeypatch.setattr("prunetune.compress.scoring.passes._IMAGE_ELEMENTS_AT_ONCE", 1)
    for a, b in zip(whole, score("obd_hessian", scene), strict=True):
        torch.testing.assert_close(a, b)


def test_obd_hessian_is_half_the_squared_weights_times_curvature() -> None:
    kind = "basic blocks"
    model, curvature = network(kind), one_by_one(network(kind))
    scores = score("obd_hessian", scene_of(model, groups(kind)))
    for group, group_scores in zip(groups(kind), scores, strict=True):
        parts = []
        for member in group.members:
            weight = model.get_submodule(member.layer).weight
            assert isinstance(weight, Tensor)
            damage = weight.detach().square() * curvature[member.layer] / 2
            rows = damage if damage.dim() == 1 or member.side == "out" else damage.transpose(0, 1)
            parts.append(per_unit(rows.reshape(len(rows), -1).sum(1), member))
        torch.testing.assert_close(group_scores, torch.stack(parts).mean(0))


def test_obd_hessian_does_not_know_the_order_of_the_images() -> None:
    kind = "mobilenet"
    x, y = images(8)
    order = torch.randperm(8, generator=torch.Generator().manual_seed(3))
    plain = score("obd_hessian", scene_of(network(kind), groups(kind)))
    data = (x[order], y[order])
    permuted = score("obd_hessian", scene_of(network(kind), groups(kind), data=data))
    for a, b in zip(plain, permuted, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=0)


def test_obd_c_counts_filters_under_labels_of_the_networks_own() -> None:
    kind = "basic blocks"
    model = network(kind)
    draws = torch.rand(8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with torch.no_grad():
        labels = sampled_labels(model(images(8)[0]), draws)
    curvature = one_by_one(model, labels)
    scores = score("obd_c", scene_of(model, groups(kind)), images=8)
    for group, group_scores in zip(groups(kind), scores, strict=True):
        convs = [m for m in group.writers if isinstance(model.get_submodule(m.layer), nn.Conv2d)]
        parts = []
        for member in convs:
            weight = model.get_submodule(member.layer).weight
            assert isinstance(weight, Tensor)
            damage = weight.detach().square() * curvature[member.layer] / 2
            parts.append(per_unit(damage.flatten(1).sum(1), member))
        torch.testing.assert_close(group_scores, torch.stack(parts).mean(0))


def test_obd_c_depends_on_its_generator_alone() -> None:
    kind = "basic blocks"
    x, y = images(8)
    scenes = [
        scene_of(network(kind), groups(kind), seed=seed, data=(x, labels))
        for seed, labels in ((0, y), (0, y.flip(0)), (1, y))
    ]
    first, relabelled, reseeded = (torch.cat(score("obd_c", scene)) for scene in scenes)
    assert torch.equal(first, relabelled)
    assert not torch.allclose(first, reseeded)


def test_labels_are_drawn_from_the_softmax() -> None:
    logits = torch.tensor([[0.0, 1.0, -2.0, 0.5]])
    draws = (torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000
    labels = sampled_labels(logits.expand(20_000, 4), draws)
    shares = labels.bincount(minlength=4) / 20_000
    torch.testing.assert_close(shares, logits.softmax(1)[0], atol=1e-4, rtol=0)
    assert sampled_labels(logits, torch.tensor([1.0])).item() == 3


def test_activation_is_the_mean_magnitude_that_readers_see() -> None:
    model = network("basic blocks")
    stream, inner, *_ = score("activation", scene_of(model, groups("basic blocks")),
                              normalize="none")  # fmt: skip
    with torch.no_grad():
        x = F.relu(model.bn1(model.conv1(images(8)[0])))  # type: ignore[operator]
        block = model.blocks[0]  # type: ignore[index]
        middle = F.relu(block.bn1(block.conv1(x)))
        after = F.relu(block.bn2(block.conv2(middle)) + x)
    torch.testing.assert_close(inner, middle.mean((0, 2, 3)))
    inputs = [x, after, after]  # of the first block, the second, and its shortcut
    torch.testing.assert_close(stream, sum(t.mean((0, 2, 3)) for t in inputs) / 3)
