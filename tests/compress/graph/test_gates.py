from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from prunetune.compress.graph.groups import Group
from prunetune.testing.model_laws import silenced
from tests.compress.gradients import KINDS, groups, images, joint_q, losses, network

JOINED = ("pre-activation", "densenet", "tokens")
"""Networks whose norms read the joined outputs of several layers; no gate reaches their shifts."""


@torch.no_grad()
def scaled(model: nn.Module, group: Group, unit: int, by: float) -> nn.Module:
    """A copy whose weights scale the unit's channels by `by` in the output of the gated layers."""
    changed = copy.deepcopy(model)
    for gate in group.gates:
        layer, channels = changed.get_submodule(gate.layer), torch.from_numpy(gate.index[unit])
        for tensor in (layer.weight, layer.bias):
            if isinstance(tensor, torch.Tensor):
                tensor[channels] *= by
    return changed


@pytest.mark.parametrize("kind", KINDS)
def test_the_joint_gate_is_the_finite_difference_of_multiplying_every_writer(kind: str) -> None:
    model, h = network(kind), 1e-5
    for group, q in zip(groups(kind), joint_q(kind, 4), strict=True):
        for unit in {0, group.width - 1}:
            with torch.no_grad():
                more, less = (losses(scaled(model, group, unit, 1 + s * h), 4) for s in (1, -1))
            torch.testing.assert_close(q[:, unit], (more - less) / (2 * h), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("kind", KINDS)
def test_the_gate_at_zero_is_the_removal(kind: str) -> None:
    model, x = network(kind), images(2)[0]
    for number, group in enumerate(groups(kind)):
        norms = norms_of(model, group)
        if kind in JOINED and norms and norms != [gate.layer for gate in group.gates]:
            continue
        removed: list[list[int]] = [[] for _ in groups(kind)]
        removed[number] = [group.width - 1]
        with torch.no_grad():
            at_zero = scaled(model, group, group.width - 1, 0.0)(x)
            torch.testing.assert_close(at_zero, silenced(model, groups(kind), removed)(x))


def norms_of(model: nn.Module, group: Group) -> list[str]:
    layers = [(m.layer, model.get_submodule(m.layer)) for m in group.writers]
    return [name for name, layer in layers if isinstance(layer, _BatchNorm | nn.LayerNorm)]


def gates(kind: str) -> dict[str, list[str]]:
    return {group.name: [gate.layer for gate in group.gates] for group in groups(kind)}


def test_gates_are_behind_the_batch_norm_of_every_writer_of_a_residual_stream() -> None:
    assert gates("basic blocks") == {
        "conv1": ["bn1", "blocks.0.bn2"],
        "blocks.0.conv1": ["blocks.0.bn1"],
        "blocks.1.conv1": ["blocks.1.bn1"],
        "blocks.1.conv2": ["blocks.1.bn2", "blocks.1.downsample.1"],
    }


def test_a_depthwise_convolution_passes_the_gate_on() -> None:
    mobilenet = gates("mobilenet")
    assert mobilenet["features.0.0"] == ["features.1.conv.0.1"]
    assert mobilenet["features.2.conv.0.0"] == ["features.2.conv.1.1"]
    assert mobilenet["features.1.conv.1"] == [
        f"features.{i}.conv.{n}" for i, n in ((1, 2), (2, 3), (3, 3))
    ]


def test_before_activation_and_in_concatenations_the_gate_is_on_the_layer_itself() -> None:
    assert gates("pre-activation") == {
        "stem": ["stem", "convs2.0", "convs2.1"],
        "convs1.0": ["norms2.0"],
        "convs1.1": ["norms2.1"],
    }
    dense = gates("densenet")
    assert dense["features.conv0"] == ["features.norm0"]
    block = "features.denseblock1.denselayer1"
    assert dense[f"{block}.conv1"] == [f"{block}.norm2"]
    assert dense[f"{block}.conv2"] == [f"{block}.conv2"]
    assert gates("plain") == {name: [name] for name in ("conv1", "conv2", "fc1")}


def test_of_two_factors_one_has_the_gate() -> None:
    assert gates("squeeze and excitation")["conv"] == ["norm"]
    (heads, _) = groups("vision transformer")
    assert heads.gates[0].index.ravel().tolist() == list(range(16, 24))  # the values


def test_the_gate_identity_of_batch_norm() -> None:
    kind = "cifar resnet B"
    model = copy.deepcopy(network(kind))
    losses(model, 8).sum().backward()
    for group, q in zip(groups(kind), joint_q(kind, 8), strict=True):
        norms = [model.get_submodule(gate.layer) for gate in group.gates]
        pairs = [(t, t.grad) for n in norms for t in (n.weight, n.bias)]
        expected = sum(t.detach() * g for t, g in pairs)  # type: ignore[operator]
        torch.testing.assert_close(q.sum(0), expected)
