"""ResNet-56 meets every budget from 70 to 5 % of its MACs, whatever scores and scope."""

from __future__ import annotations

from functools import cache
from typing import get_args

import pytest

from prunetune.compress.budget.costs import CostTable
from prunetune.compress.budget.ranking import Scope, ranking, rule_of
from prunetune.compress.budget.select import select
from prunetune.compress.criterion import Scene
from prunetune.compress.method import Infeasible
from prunetune.config.parts import Named
from prunetune.registry import criteria
from prunetune.testing.networks import Network, seeded
from tests.compress.nets import BUDGETS, TOLERANCE

NETWORK = Network("resnet56", {"shortcut": "B"}, input_shape=(3, 32, 32), classes=10)
IMAGES = 4
FEW = {"images": IMAGES, "batch": 2, "positions": 4}


@cache
def costs() -> CostTable:
    return NETWORK.costs(NETWORK.groups)


@pytest.mark.parametrize("name", criteria.names())
def test_every_budget_is_met_under_every_scope(name: str) -> None:
    fields = criteria.get(name).params.model_fields
    few = {key: value for key, value in FEW.items() if key in fields}
    batches = NETWORK.batches(IMAGES, 2)
    scene = Scene(NETWORK.model, NETWORK.input_shape, NETWORK.groups, seeded(5), batches)
    criterion = criteria.make(Named(name=name, params=few))
    scores = [score.numpy() for score in criterion.score(scene)]
    dense = costs().macs(costs().widths)
    for scope in get_args(Scope):
        rule = rule_of(scope, NETWORK.model, NETWORK.groups, floor=0.1)
        steps = ranking(scores, rule)
        for share in BUDGETS:
            target = int(share * dense)
            try:
                selection = select(steps, costs(), target, target * (1 - TOLERANCE))
            except Infeasible as miss:
                pytest.fail(f"{scope} at {share}: {miss}")
            assert target * (1 - TOLERANCE) <= selection.macs <= target
