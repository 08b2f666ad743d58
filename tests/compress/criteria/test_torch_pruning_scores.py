"""Where torch-pruning's scores are wrong and ours are not, in a few lines each."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import torch_pruning as tp
from torch import Tensor, nn
from torch_pruning.pruner.importance import OBDCImportance

from prunetune.compress.graph.groups import Group, is_depthwise
from prunetune.registry import criteria
from tests.compress.gradients import groups, images, network, scene_of, score

KIND = "basic blocks"


def traced() -> tuple[nn.Module, Any]:
    """A fresh network and the group of its first block's inside."""
    model = copy.deepcopy(network(KIND))
    graph = tp.DependencyGraph().build_dependency(model, images(1)[0])
    conv = model.get_submodule("blocks.0.conv1")
    assert isinstance(conv, nn.Conv2d)
    return model, graph.get_pruning_group(conv, tp.prune_conv_out_channels, list(range(6)))


def test_its_taylor_never_counts_batch_norm() -> None:
    model, group = traced()
    x, y = images(4)
    F.cross_entropy(model(x), y).backward()
    norm = model.get_submodule("blocks.0.bn1")
    before = tp.importance.TaylorImportance(normalizer=None)(group)
    assert isinstance(norm.weight.grad, Tensor)
    norm.weight.grad *= 1e6
    assert torch.equal(before, tp.importance.TaylorImportance(normalizer=None)(group))

    shifted = copy.deepcopy(network(KIND))  # a shift moves nothing but batch norm's share
    number = [g.name for g in groups(KIND)].index("blocks.0.conv1")
    ours = score("taylor", scene_of(shifted, groups(KIND)))[number]
    shifted.get_submodule("blocks.0.bn1").bias.data += 0.1
    assert not torch.allclose(ours, score("taylor", scene_of(shifted, groups(KIND)))[number])


def test_its_obd_hessian_is_of_the_last_image_alone() -> None:
    def theirs(order: list[int]) -> Tensor:
        model, group = traced()
        scorer = tp.importance.HessianImportance(normalizer=None)
        x, y = images(4)
        for loss in F.cross_entropy(model(x), y, reduction="none")[order]:
            model.zero_grad()
            loss.backward(retain_graph=True)
            scorer.accumulate_grad(model)
        scores: Tensor = scorer(group)
        return scores

    torch.testing.assert_close(theirs([0, 1, 2, 3]), theirs([3]))
    assert not torch.allclose(theirs([0, 1, 2, 3]), theirs([3, 2, 1, 0]))

    x, y = images(4)
    data = (x.flip(0), y.flip(0))
    ours, flipped, last = (
        torch.cat(score("obd_hessian", scene))
        for scene in (
            scene_of(network(KIND), groups(KIND), 4),
            scene_of(network(KIND), groups(KIND), 4, data=data),
            scene_of(network(KIND), groups(KIND), 4, data=(x[3:], y[3:])),
        )
    )
    torch.testing.assert_close(ours, flipped)
    assert not torch.allclose(ours, last)


def test_its_obd_c_fails_on_convolutional_networks() -> None:
    model, _ = traced()
    importance = OBDCImportance(num_classes=5)
    pruner = tp.pruner.BasePruner(model, images(1)[0], importance, ignored_layers=[model.fc])
    with pytest.raises(TypeError):
        importance._prepare_model(model, pruner)
    assert all(s.isfinite().all() for s in score("obd_c", scene_of(network(KIND), groups(KIND))))


def their_scores(model: nn.Module, group: Group, importance: Any) -> Tensor:
    graph = tp.DependencyGraph().build_dependency(model, images(1)[0])
    layer = model.get_submodule(group.name)
    prune = graph.get_pruner_of_module(layer).prune_out_channels
    scores: Tensor = importance(graph.get_pruning_group(layer, prune, list(range(group.width))))
    return scores.double()


def test_its_fpgm_sees_a_constant_added_to_all_filters() -> None:
    model, group = traced()
    moved = copy.deepcopy(model)
    with torch.no_grad():
        moved.get_submodule("blocks.0.conv1").weight += 1.0
    (ours,) = (g for g in groups(KIND) if g.name == "blocks.0.conv1")
    before, after = (score("fpgm", scene_of(m, [ours]))[0] for m in (model, moved))
    torch.testing.assert_close(before, after)
    filters = tp.importance.FPGMImportance(group_reduction="first", normalizer=None)
    theirs = [their_scores(m, ours, filters) for m in (model, moved)]
    assert not torch.allclose(*theirs, rtol=0.1)
    assert len(group) > 1


SAME: dict[str, tuple[Any, dict[str, Any]]] = {
    "magnitude": (tp.importance.MagnitudeImportance(p=2), {"p": 2}),
    "lamp": (tp.importance.LAMPImportance(p=2), {}),
    "bn_scale": (tp.importance.BNScaleImportance(), {"normalize": "mean"}),
}


@pytest.mark.parametrize("kind", ["cifar resnet B", "bottlenecks", "vgg with batch norm"])
@pytest.mark.parametrize("name", SAME)
def test_where_it_is_right_ours_are_the_same(name: str, kind: str) -> None:
    importance, params = SAME[name]
    model, part = network(kind), criteria.get(name).part
    scored = [g for g in groups(kind) if part(criteria.get(name).params()).applies(model, g)]
    scores = score(name, scene_of(model, scored), **params)
    for group, ours in zip(scored, scores, strict=True):
        theirs = their_scores(copy.deepcopy(model), group, importance)
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=0)


@pytest.mark.parametrize("name", ["magnitude", "lamp"])
def test_it_leaves_depthwise_convolutions_out(name: str) -> None:
    model = network("mobilenet")
    deep = [
        group for group in groups("mobilenet")
        if any(is_depthwise(model.get_submodule(m.layer)) for m in group.writers)
    ]  # fmt: skip
    assert deep
    for group, ours in zip(deep, score(name, scene_of(model, deep)), strict=True):
        theirs = their_scores(copy.deepcopy(model), group, SAME[name][0])
        assert not torch.allclose(ours, theirs, rtol=1e-3)
