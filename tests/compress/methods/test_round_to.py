"""`round_to`: pruned and thin networks whose widths are multiples, at the same exact budgets."""

from __future__ import annotations

from typing import Any

import pytest

from prunetune.compress.method import Target
from prunetune.compress.methods.width_scaling.method import WidthScaling, WidthScalingParams
from prunetune.compress.methods.width_scaling.solver import WidthSolver
from prunetune.config.parts import Named
from prunetune.records.architecture import Architecture
from prunetune.registry import methods
from prunetune.sweep import plan_sweep
from prunetune.testing import check_method
from prunetune.testing.networks import Network
from prunetune.workload import Workload
from tests.small_sweep import SMALL

BUDGETS = (0.7, 0.5, 0.39, 0.25, 0.125)
ARMS: list[tuple[str, dict[str, Any]]] = [
    ("width_scaling", {"round_to": 8}),
    ("channel_pruning", {"round_to": 8, "criterion": "magnitude", "scope": "global"}),
    ("channel_pruning", {"round_to": 8, "criterion": "random", "scope": "local", "steps": 3}),
]


def architecture(name: str) -> Architecture:
    return Workload(Named(name=name), Named(name="cifar10"), seed=0).architecture


@pytest.mark.parametrize(("name", "params"), ARMS)
def test_rounded_networks_keep_the_contract_of_a_method(name: str, params: dict[str, Any]) -> None:
    check_method(name, params, network=Network("resnet20"))


@pytest.mark.parametrize("model", ["resnet20", "resnet56"])
@pytest.mark.parametrize(("name", "params"), ARMS)
def test_every_budget_is_met_with_rounded_widths(
    model: str, name: str, params: dict[str, Any]
) -> None:
    dense = architecture(model)
    macs = Workload(Named(name=model), Named(name="cifar10"), seed=0).macs
    targets = [Target(int(share * macs), macs, 0.005, None) for share in BUDGETS]
    part, chosen = methods.checked(Named(name=name, params=params))
    assert all(reach.within for reach in part(chosen).reach(dense, targets))


@pytest.mark.parametrize("by", ["width", "inner"])
@pytest.mark.parametrize("share", BUDGETS)
def test_every_layer_of_a_thin_network_is_a_multiple_or_narrow(by: str, share: float) -> None:
    dense = architecture("resnet56")
    method = WidthScaling(WidthScalingParams(by=by, round_to=8))  # type: ignore[arg-type]
    solver: WidthSolver = method._solver(dense)
    at_most = int(share * solver.costs.macs(solver.costs.widths))
    scaled = solver.solve(at_most, 0.995 * at_most)
    thin = solver.architecture_at(scaled.widths, scaled.inner)
    for layer, width in thin.channels().items():
        assert layer == "linear" or width % 8 == 0 or width < 8


def test_any_width_is_the_default_and_changes_no_key() -> None:
    plain = plan_sweep(SMALL)
    methods_ = {
        "thin": {"width_scaling": {"round_to": 1}},
        "pruned": {"channel_pruning": {"round_to": 1}},
    }
    stated = plan_sweep(SMALL | {"arms": {arm: {"method": m} for arm, m in methods_.items()}})
    for before, after in zip(plain.studies, stated.studies, strict=True):
        constants = [
            {d.path: d.domain.value for d in study.space.dimensions if not d.searched}
            for study in (before, after)
        ]
        assert constants[0] == constants[1]
        assert constants[0]["method.round_to"] == 1
        assert "method.round_to" not in before.space.salient(constants[0])
        assert "method.round_to" not in after.space.salient(constants[1])
