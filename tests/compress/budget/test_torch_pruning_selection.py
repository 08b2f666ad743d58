"""Cases where the selection of torch-pruning misses its goal and ours does not."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch_pruning as tp
from torch import nn

from prunetune.compress.budget.costs import CostTable
from prunetune.compress.budget.ranking import Scope, ranking, rule_of
from prunetune.compress.budget.select import select
from prunetune.compress.criterion import Scene
from prunetune.compress.proof.proved_groups import find_groups
from prunetune.config.parts import Named
from prunetune.registry import criteria

SHAPE = (3, 8, 8)
WIDTH = 16


def network(first: float, second: float, *, equal: bool = False) -> nn.Sequential:
    """Two convolutions of 16 filters, times these factors (or with equal weights), and a head."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, WIDTH, 3, padding=1, bias=False),
        nn.ReLU(),
        nn.Conv2d(WIDTH, WIDTH, 3, padding=1, bias=False),
        nn.ReLU(),
        nn.Conv2d(WIDTH, 4, 1, bias=False),
    )
    with torch.no_grad():
        for layer, scale in ((0, first), (2, second)):
            weight = model.get_submodule(str(layer)).weight
            weight.copy_(torch.full_like(weight, scale) if equal else weight * scale)
    return model


def theirs(model: nn.Sequential, ratio: float, **params: Any) -> list[int]:
    """torch-pruning's widths after all its steps towards removing `ratio` of all filters."""
    pruner = tp.pruner.BasePruner(
        model,
        torch.randn(1, *SHAPE),
        tp.importance.MagnitudeImportance(p=1, normalizer=None, group_reduction="first"),
        global_pruning=True,
        pruning_ratio=ratio,
        ignored_layers=[model[4]],
        **params,
    )
    for _ in range(params.get("iterative_steps", 1)):
        pruner.step()
    return [model[0].out_channels, model[2].out_channels]


def ours(
    model: nn.Sequential, share: float, scope: Scope = "global", floor: float = 0.1
) -> list[int]:
    """Our widths for the same ranking and the share `share` of the MACs, met within 5 %."""
    groups = find_groups(model, SHAPE, [model[4]])
    costs = CostTable.measure(model, SHAPE, groups)
    params = {"p": 1, "normalize": "none", "reduction": "first"}
    criterion = criteria.make(Named(name="magnitude", params=params))
    scores = criterion.score(Scene(model, SHAPE, groups, torch.Generator()))
    rule = rule_of(scope, model, groups, floor)
    budget = int(share * costs.macs(costs.widths))
    selection = select(ranking([s.numpy() for s in scores], rule), costs, budget, 0.95 * budget)
    return [WIDTH - len(removed) for removed in selection.removed]


@pytest.mark.parametrize("share", [0.7, 0.5, 0.25, 0.1])
def test_a_group_that_is_weakest_as_a_whole_is_not_spared(share: float) -> None:
    assert theirs(network(1e-3, 1.0), 0.5) == [WIDTH, WIDTH]  # all 16 of 32 are in one group
    widths = ours(network(1e-3, 1.0), share)
    assert widths[0] < WIDTH
    assert min(widths) >= 1


@pytest.mark.parametrize("share", [0.7, 0.5, 0.25, 0.1])
def test_equal_scores_are_still_cut_to_the_budget(share: float) -> None:
    assert theirs(network(1.0, 1.0, equal=True), 0.5) == [WIDTH, WIDTH]
    assert sum(ours(network(1.0, 1.0, equal=True), share)) < 2 * WIDTH


def test_no_group_is_narrower_than_its_floor() -> None:
    weak = (0.1, 1.0)
    narrowest = min(theirs(network(*weak), 0.5, iterative_steps=8, max_pruning_ratio=0.6))
    assert narrowest < 0.4 * WIDTH  # at most 60 % were to go
    assert min(ours(network(*weak), 0.3, "protected_global", 0.4)) >= 0.4 * WIDTH
