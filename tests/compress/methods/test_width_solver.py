"""Width scaling of the families beyond ResNet."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from prunetune.compress.budget.costs import count_macs
from prunetune.compress.methods.width_scaling.solver import WidthSolver
from prunetune.compress.network.rebuild import rebuild
from tests.compress.nets import architecture


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("wrn_16_2", {}),
        ("wrn_28_1", {}),
        ("cifar_vgg16_bn", {}),
        ("mobilenet_v1", {"stem": "cifar"}),
        ("mobilenet_v2", {"stem": "cifar"}),
    ],
)
def test_thin_networks_hit_the_budget(name: str, params: dict[str, Any]) -> None:
    solver = WidthSolver(architecture(name, **params))
    dense = solver.uniform(solver.base).macs
    with torch.device("meta"):
        assert dense == count_macs(rebuild(solver.architecture), (3, 32, 32))
    for share in (0.7, 0.25):
        at_most = int(dense * share)
        thin = solver.solve(at_most, at_most * 0.995)
        assert 0.995 * at_most <= thin.macs <= at_most
    found = solver.architecture_at(thin.widths, thin.inner)
    with torch.device("meta"):
        assert count_macs(rebuild(found), (3, 32, 32)) == thin.macs
