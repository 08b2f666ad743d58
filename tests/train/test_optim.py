from __future__ import annotations

import pytest
import torch
from torch import nn

from prunetune.config.parts import Named
from prunetune.config.recipe import Recipe
from prunetune.registry import optimizers
from prunetune.train.optim import build_optimizer, decay_groups
from tests.train.conftest import tiny_network


@pytest.mark.parametrize("norms_and_biases", [False, True])
def test_groups_partition_the_trainable_parameters(norms_and_biases: bool) -> None:
    model = tiny_network()
    model[0].weight.requires_grad_(False)
    groups = decay_groups(model.parameters(), 0.01, norms_and_biases=norms_and_biases)
    ids = [id(p) for group in groups for p in group["params"]]
    assert len(ids) == len(set(ids))
    assert set(ids) == {id(p) for p in model.parameters() if p.requires_grad}


def test_norms_and_biases_do_not_decay_unless_requested() -> None:
    model = tiny_network()
    vectors = {id(p) for m in model if isinstance(m, nn.BatchNorm2d) for p in m.parameters()}
    vectors.add(id(model[-1].bias))
    for asked in (False, True):
        groups = decay_groups(model.parameters(), 0.01, norms_and_biases=asked)
        decays = {id(p): g["weight_decay"] for g in groups for p in g["params"]}
        for key, decay in decays.items():
            assert decay == (0.01 if asked or key not in vectors else 0.0)


@pytest.mark.parametrize("name", optimizers.names())
def test_without_gradient_only_decaying_weights_shrink(name: str) -> None:
    model = tiny_network()
    recipe = Recipe(optimizer=Named(name=name), weight_decay=0.1)
    optimizer = build_optimizer(recipe, model)
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for key, parameter in model.named_parameters():
        if parameter.ndim > 1:
            assert parameter.norm() < before[key].norm()
        else:
            assert torch.equal(parameter, before[key])


def test_an_sgd_step_equals_its_closed_form() -> None:
    weight = nn.Parameter(torch.tensor([[2.0]]))
    model = nn.ParameterList([weight])
    params = {"lr": 0.5, "momentum": 0.8}
    optimizer = build_optimizer(
        Recipe(optimizer=Named(name="sgd", params=params), weight_decay=0.1), model
    )
    velocity, value = 0.0, 2.0
    for gradient in (1.0, -0.5, 0.25):
        weight.grad = torch.tensor([[gradient]])
        optimizer.step()
        decayed = gradient + 0.1 * value
        velocity = 0.8 * velocity + decayed
        value -= 0.5 * (decayed + 0.8 * velocity)
        assert weight.item() == pytest.approx(value, rel=1e-6)


def test_sgd_without_momentum_is_not_nesterov() -> None:
    recipe = Recipe(optimizer=Named(name="sgd", params={"momentum": 0.0}))
    assert not build_optimizer(recipe, tiny_network()).param_groups[0]["nesterov"]
