"""Single images are refused where a batch norm sees 1x1 maps, and only there."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import nn

from prunetune.compress.network.single_values import norms_of_single_values
from prunetune.config.file.model import SweepSpec
from prunetune.config.problems.errors import SpecError
from prunetune.plan import Plan
from prunetune.sweep import plan_sweep

ONE_BY_ONE: Any = {"resnet18": {"widths": [8, 8, 16, 16]}}
"""On the 8x8 digits its last stages are 1x1."""
LARGER_MAPS: Any = "resnet14"


def plan(model: Any, dataset: Any = None, train: Any = None, **changes: Any) -> Plan:
    dense = {"train": {"epochs": 1, **(train or {})}}
    tree = {
        "name": "single",
        "workload": {"model": model, "dataset": {"digits": dataset or {}}, "dense": dense},
        "budgets": [0.5],
        "arms": {"thin": {"method": "width_scaling"}, "pruned": {"method": "channel_pruning"}},
        "training": {"finetune_epochs": 1, "sparsify_epochs": 1},
        "search": {"trials": 2},
    }
    return plan_sweep(SweepSpec.model_validate({**tree, **changes}))


def pruned(**params: Any) -> dict[str, Any]:
    return {"arms": {"pruned": {"method": {"channel_pruning": params}}}}


CASES: dict[str, tuple[dict[str, Any], str]] = {
    "dense": (
        {"train": {"recipe": {"batch_size": 1}}},
        "workload.dense.train.recipe.batch_size",
    ),
    "shared": ({"recipe": {"batch_size": 1}}, "recipe.batch_size"),
    "choice": ({"recipe": {"batch_size": {"choice": [64, 1]}}}, "recipe.batch_size"),
    "range": ({"recipe": {"batch_size": {"int": [1, 64]}}}, "recipe.batch_size"),
    "arm": (
        {"arms": {"thin": {"method": "width_scaling", "recipe": {"batch_size": 1}}}},
        "arms.thin.recipe.batch_size",
    ),
    "sparsify": (
        pruned(sparsify={"regularizer": "group_lasso", "recipe": {"batch_size": 1}}),
        "arms.pruned.method.channel_pruning.sparsify.recipe.batch_size",
    ),
    "recalibrate": (pruned(recalibrate=1), "arms.pruned.method.channel_pruning.recalibrate"),
    "criterion": (
        pruned(criterion={"fisher_accumulated": {"batch": 1}}),
        "arms.pruned.method.channel_pruning.criterion.fisher_accumulated.batch",
    ),
    "data": ({"dataset": {"train_limit": 1}}, "workload.dataset.digits.train_limit"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_single_image_is_refused_where_a_norm_sees_one_value(case: str) -> None:
    changes, path = CASES[case]
    with pytest.raises(SpecError) as caught:
        plan(ONE_BY_ONE, **changes)
    (problem,) = caught.value.problems
    assert ".".join(map(str, problem.path)) == path
    assert "batch norm layer2.0." in problem.message
    assert "2" in (problem.allowed or "")


@pytest.mark.parametrize("case", CASES)
def test_a_single_image_is_allowed_where_every_norm_sees_more(case: str) -> None:
    assert plan(LARGER_MAPS, **CASES[case][0]).studies


def test_two_images_at_once_are_enough() -> None:
    assert plan(ONE_BY_ONE, recipe={"batch_size": 2}, dataset={"train_limit": 2}).studies


def test_a_validation_set_of_one_image_is_allowed() -> None:
    assert plan(ONE_BY_ONE, dataset={"val_fraction": 1 / 1437}).val_size == 1


def test_no_recalibration_needs_no_second_image() -> None:
    assert plan(ONE_BY_ONE, **pruned(recalibrate=0)).studies


def test_found_norms_are_those_that_torch_refuses() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 5, 3))
    network.append(nn.BatchNorm2d(5))
    for side, found in {5: ["3"], 6: []}.items():
        assert norms_of_single_values(network, (3, side, side)) == found
        x = torch.randn(1, 3, side, side)
        with pytest.raises(ValueError, match="more than 1 value") if found else nullcontext():
            network(x)


def test_a_norm_that_stays_in_evaluation_mode_is_not_found() -> None:
    class Frozen(nn.BatchNorm2d):
        def train(self, mode: bool = True) -> Frozen:
            return super().train(False)

    assert norms_of_single_values(nn.Sequential(nn.Conv2d(3, 4, 3), Frozen(4)), (3, 3, 3)) == []
