from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch

from prunetune.compress.macs import count_macs
from prunetune.compress.method import Infeasible
from prunetune.compress.rebuild import fresh, rebuild
from prunetune.compress.thin import Thinner
from prunetune.compress.width_scaling import WidthScaling, WidthScalingParams
from tests.compress.nets import BUDGETS, architecture, context

TABLE = {15: 110.55, 14: 96.32, 13: 83.08, 12: 70.82, 11: 59.53, 10: 49.22, 9: 39.90, 8: 31.55}
"""Thin ResNet-56 B by base width: MMACs."""


@pytest.mark.parametrize("name", ["resnet20", "resnet56", "resnet110"])
@pytest.mark.parametrize("shortcut", ["A", "B"])
def test_thin_networks_hit_the_budget(name: str, shortcut: str) -> None:
    network = architecture(name, shortcut=shortcut)
    thinner = Thinner(network)
    dense = thinner.uniform((16, 32, 64)).macs
    for share in BUDGETS:
        at_most = int(dense * share)
        thin = thinner.find(at_most, at_most * 0.995)
        assert 0.995 * at_most <= thin.macs <= at_most
        assert max(thin.extra) <= 2
        assert all(abs(width - thin.widths[2] * base / 64) < 1 for width, base in
                   zip(thin.widths, (16, 32, 64), strict=True))  # fmt: skip
    found = thinner.architecture_at(thin.widths, thin.inner)
    with torch.device("meta"):
        assert count_macs(rebuild(found), (3, 32, 32)) == thin.macs


@pytest.mark.parametrize(("width", "mmacs"), TABLE.items())
def test_uniform_widths_need_no_extra_channels(width: int, mmacs: float) -> None:
    thinner = Thinner(architecture("resnet56"))
    uniform = (width, 2 * width, 4 * width)
    macs = thinner.uniform(uniform).macs
    assert macs / 1e6 == pytest.approx(mmacs, abs=6e-3)
    thin = thinner.find(macs, macs)
    assert (thin.widths, set(thin.extra)) == (uniform, {0})


def test_bottlenecks_widen_both_inner_convolutions() -> None:
    network = architecture("resnet50", 224)
    thinner = Thinner(network)
    thin = thinner.find(2_044_592_128, 2_044_592_128 * 0.995)
    found = thinner.architecture_at(thin.widths, thin.inner)
    with torch.device("meta"):
        assert count_macs(rebuild(found), (3, 224, 224)) == thin.macs


def test_the_candidates_are_all_uniform_scalings_in_order() -> None:
    candidates = Thinner(architecture("resnet20")).candidates
    assert candidates[0] == (1, 1, 1)
    assert candidates[-1] == (16, 32, 64)
    assert (5, 11, 22) in candidates
    assert {(w, 2 * w, 4 * w) for w in range(1, 17)} <= set(candidates)
    for a, b in itertools.pairwise(candidates):
        assert all(x <= y for x, y in zip(a, b, strict=True))


def test_too_coarse_and_too_small_say_what_is_near() -> None:
    thinner = Thinner(architecture("resnet14"))
    smallest = thinner.smallest_macs()
    with pytest.raises(Infeasible) as small:
        thinner.find(smallest - 1, 0)
    assert small.value.nearest_macs == smallest
    with pytest.raises(Infeasible, match="too coarse") as coarse:
        thinner.find(3 * smallest + 1, 3 * smallest + 1)
    assert coarse.value.nearest_macs <= 3 * smallest


def test_the_method_trains_from_scratch_with_the_familys_init() -> None:
    given = context(architecture("resnet20"), 0.25)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    found = WidthScaling(WidthScalingParams()).run(given)
    assert torch.equal(torch.get_rng_state(), state)
    again = fresh(found.architecture, 1)
    for a, b in zip(found.model.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    assert given.target.lowest <= found.macs == count_macs(found.model, (3, 32, 32))
    assert found.departures["extra_per_block"] == 1


@pytest.mark.parametrize("name", ["mobilenet_v2"])
def test_networks_without_stages_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no stage widths"):
        Thinner(architecture(name))


def test_fresh_weights_follow_the_seed_and_nothing_else() -> None:
    network: Any = architecture("resnet14")
    torch.manual_seed(3)
    first = fresh(network, 8).state_dict()
    torch.manual_seed(4)
    second, other = fresh(network, 8).state_dict(), fresh(network, 9).state_dict()
    assert all(torch.equal(first[k], second[k]) for k in first)
    assert not torch.equal(first["conv1.weight"], other["conv1.weight"])
