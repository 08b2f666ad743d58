from __future__ import annotations

import torch

from prunetune.compress.budget.costs import count_macs
from prunetune.compress.method import Target, budget_kinds, finds_architecture
from prunetune.compress.methods.dense import Dense, DenseParams
from prunetune.registry import methods
from tests.compress.nets import architecture, context

NETWORK = architecture("resnet14")


def test_the_control_has_the_dense_weights_and_shape() -> None:
    given = context(NETWORK, 1.0)
    found = Dense(DenseParams()).run(given)
    assert given.dense is not None
    assert found.macs == count_macs(given.dense, NETWORK.input_shape) == given.target.macs
    assert found.architecture == NETWORK
    state = given.dense.state_dict()
    for name, value in found.model.state_dict().items():
        assert torch.equal(value, state[name])
        assert value.data_ptr() != state[name].data_ptr()


def test_dense_reaches_the_dense_macs_alone() -> None:
    (found,) = Dense(DenseParams()).reach(NETWORK, [Target(900, 900, 0.005)])
    assert (found.smallest_macs, found.nearest_macs, found.within) == (900, 900, True)


def test_which_methods_meet_which_budgets_and_find_architectures() -> None:
    kinds = {name: budget_kinds(methods.get(name).part) for name in methods.names()}
    assert kinds["channel_pruning"] == kinds["width_scaling"] == kinds["reinit"] == {"macs"}
    assert kinds["dense"] == frozenset()
    lenders = {name for name in methods.names() if finds_architecture(methods.get(name).part)}
    assert {"channel_pruning", "width_scaling"} <= lenders
    assert not lenders & {"dense", "reinit"}
