from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from prunetune.compress.budget.costs import CostPoint, CostTable, count_macs
from prunetune.compress.network.cut import cut
from prunetune.compress.network.rebuild import family_network
from prunetune.compress.proof.proved_groups import prunable_groups
from tests.compress.nets import SMALL, architecture, trained

NETWORKS = [
    *[(f"resnet{depth}", 32, {"shortcut": s}) for depth in (14, 20) for s in "AB"],
    *[(name, 64, {}) for name in ("resnet18", "vgg19_bn")],
    *[
        pytest.param(name, size, params, marks=pytest.mark.slow)
        for name, size, params in (
            *((f"resnet{depth}", 32, {"shortcut": s}) for depth in (56, 110) for s in "AB"),
            *((name, 64, {}) for name in ("resnet34", "resnet50", "wide_resnet50_2")),
            *((name, 64, {}) for name in ("resnext50_32x4d", "mobilenet_v2")),
        )
    ],
    *[(name, 32, params) for name, params in SMALL],
]


def counted(model: nn.Module, shape: tuple[int, int, int]) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.eval()(torch.empty(1, *shape, device=next(model.parameters()).device))
    return counter.get_total_flops() // 2


@pytest.mark.parametrize(("name", "size", "params"), NETWORKS)
def test_the_closed_form_is_what_the_counter_counts_before_and_after_a_cut(
    name: str, size: int, params: dict[str, object]
) -> None:
    network = architecture(name, size, **params)
    with torch.device("meta"):
        model = family_network(network)
    groups = prunable_groups(model, network)
    costs = CostTable.measure(model, network.input_shape, groups)
    assert costs.macs(costs.widths) == counted(model, network.input_shape)
    generator = np.random.default_rng(0)
    removed = [generator.permutation(g.width)[: generator.integers(g.width)] for g in groups]
    narrow = cut(model, groups, [g.tolist() for g in removed])
    widths = [g.width - len(units) for g, units in zip(groups, removed, strict=True)]
    assert costs.macs(widths) == counted(narrow, network.input_shape)


@pytest.mark.parametrize(
    ("name", "params", "macs"),
    [
        ("resnet20", {"shortcut": "A"}, 40.551),
        ("resnet56", {"shortcut": "A"}, 125.486),
        ("resnet110", {}, 253.150),
        ("resnet56", {"widths": (11, 22, 44)}, 59.53),
        ("resnet56", {"widths": (5, 10, 20)}, 12.38),
    ],
)
def test_known_counts(name: str, params: dict[str, object], macs: float) -> None:
    network = architecture(name, **params)
    assert count_macs(trained(network), (3, 32, 32)) / 1e6 == pytest.approx(macs, abs=6e-3)


def test_a_layer_used_twice_counts_twice() -> None:
    conv = nn.Conv2d(4, 4, 3, padding=1, bias=False)
    assert count_macs(nn.Sequential(conv, conv), (4, 5, 5)) == 2 * 4 * 4 * 9 * 25


@settings(max_examples=25, deadline=None)
@given(moves=st.lists(st.tuples(st.integers(0, 100), st.sampled_from([-1, 1])), max_size=40))
def test_changes_unit_by_unit_agree_with_counting_anew(
    moves: list[tuple[int, int]],
) -> None:
    point = CostPoint(COSTS, COSTS.widths)
    for group, by in moves:
        group %= len(COSTS.widths)
        if point.widths[group] + by >= 1:
            expected = point.macs + point.change(group, by)
            point.move(group, by)
            assert point.macs == expected
    assert point.macs == COSTS.macs(point.widths)


def _costs() -> CostTable:
    network = architecture("resnet14")
    model = trained(network)
    return CostTable.measure(model, network.input_shape, prunable_groups(model, network))


COSTS = _costs()
