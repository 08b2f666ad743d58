from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch

from prunetune.compress.budget.costs import count_macs
from prunetune.compress.method import CompactModel, Infeasible
from prunetune.compress.methods.width_scaling.method import WidthScaling, WidthScalingParams
from prunetune.compress.methods.width_scaling.solver import WidthSolver
from prunetune.compress.methods.width_scaling.variants import FewerBlocks
from prunetune.compress.network.rebuild import fresh, rebuild
from tests.compress.nets import BUDGETS, architecture, context

TABLE = {15: 110.55, 14: 96.32, 13: 83.08, 12: 70.82, 11: 59.53, 10: 49.22, 9: 39.90, 8: 31.55}
"""Thin ResNet-56 B by base width: MMACs."""


@pytest.mark.parametrize("name", ["resnet20", "resnet56", "resnet110"])
@pytest.mark.parametrize("shortcut", ["A", "B"])
def test_thin_networks_hit_the_budget(name: str, shortcut: str) -> None:
    network = architecture(name, shortcut=shortcut)
    solver = WidthSolver(network)
    dense = solver.uniform((16, 32, 64)).macs
    for share in BUDGETS:
        at_most = int(dense * share)
        thin = solver.solve(at_most, at_most * 0.995)
        assert 0.995 * at_most <= thin.macs <= at_most
        assert max(thin.extra) <= 2
        assert all(abs(width - thin.widths[2] * base / 64) < 1 for width, base in
                   zip(thin.widths, (16, 32, 64), strict=True))  # fmt: skip
    found = solver.architecture_at(thin.widths, thin.inner)
    with torch.device("meta"):
        assert count_macs(rebuild(found), (3, 32, 32)) == thin.macs


@pytest.mark.parametrize(("width", "mmacs"), TABLE.items())
def test_uniform_widths_need_no_extra_channels(width: int, mmacs: float) -> None:
    solver = WidthSolver(architecture("resnet56"))
    uniform = (width, 2 * width, 4 * width)
    macs = solver.uniform(uniform).macs
    assert macs / 1e6 == pytest.approx(mmacs, abs=6e-3)
    thin = solver.solve(macs, macs)
    assert (thin.widths, set(thin.extra)) == (uniform, {0})


def test_bottlenecks_widen_both_inner_convolutions() -> None:
    network = architecture("resnet50", 224)
    solver = WidthSolver(network)
    thin = solver.solve(2_044_592_128, 2_044_592_128 * 0.995)
    found = solver.architecture_at(thin.widths, thin.inner)
    with torch.device("meta"):
        assert count_macs(rebuild(found), (3, 224, 224)) == thin.macs


def test_the_candidates_are_all_uniform_scalings_in_order() -> None:
    candidates = WidthSolver(architecture("resnet20")).candidates
    assert candidates[0] == (1, 1, 1)
    assert candidates[-1] == (16, 32, 64)
    assert (5, 11, 22) in candidates
    assert {(w, 2 * w, 4 * w) for w in range(1, 17)} <= set(candidates)
    for a, b in itertools.pairwise(candidates):
        assert all(x <= y for x, y in zip(a, b, strict=True))


def test_budgets_that_are_too_coarse_or_too_small_report_the_nearest_macs() -> None:
    solver = WidthSolver(architecture("resnet14"))
    smallest = solver.smallest_macs()
    with pytest.raises(Infeasible) as small:
        solver.solve(smallest - 1, 0)
    assert small.value.nearest_macs == smallest
    with pytest.raises(Infeasible, match="too coarse") as coarse:
        solver.solve(3 * smallest + 1, 3 * smallest + 1)
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


@pytest.mark.parametrize("name", ["densenet121"])
def test_networks_without_stages_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no stage widths"):
        WidthSolver(architecture(name))


def test_fresh_weights_follow_the_seed_and_nothing_else() -> None:
    network: Any = architecture("resnet14")
    torch.manual_seed(3)
    first = fresh(network, 8).state_dict()
    torch.manual_seed(4)
    second, other = fresh(network, 8).state_dict(), fresh(network, 9).state_dict()
    assert all(torch.equal(first[k], second[k]) for k in first)
    assert not torch.equal(first["conv1.weight"], other["conv1.weight"])


WAYS = [
    {"by": "inner"},
    {"by": "depth"},
    {"profile": {"stage1": 2, "stage3": 0.5}},
    {"by": "inner", "profile": {"stage2": 1.7}},
]


def scaled(name: str, share: float, params: dict[str, Any], **of: Any) -> CompactModel:
    given = context(architecture(name, **of), share)
    found = WidthScaling(WidthScalingParams.model_validate(params)).run(given)
    assert given.target.lowest <= found.macs <= given.target.macs
    assert found.macs == count_macs(found.model, (3, 32, 32))
    with torch.device("meta"):
        assert count_macs(rebuild(found.architecture), (3, 32, 32)) == found.macs
    return found


@pytest.mark.parametrize("params", WAYS, ids=str)
@pytest.mark.parametrize(
    ("name", "share"), [("resnet32", 0.8), ("resnet32", 0.4), ("resnet18", 0.6)]
)
def test_every_way_meets_the_budget(name: str, params: dict[str, Any], share: float) -> None:
    found = scaled(name, share, params)
    if "by" in params:
        assert found.architecture.params.get("widths") is None, "the stages stay as wide"


def test_by_depth_whole_rounds_are_the_networks_of_fewer_layers() -> None:
    solver = FewerBlocks(architecture("resnet32"))
    macs = [solver.uniform(inner).macs for inner in solver.candidates]
    assert macs == sorted(macs)
    assert len(macs) == 3 * 4 + 1
    for name, at in (("resnet14", 3), ("resnet20", 6), ("resnet26", 9)):
        with torch.device("meta"):
            assert macs[at] == count_macs(rebuild(architecture(name)), (3, 32, 32))


def test_by_depth_wide_resnets_are_those_of_fewer_layers() -> None:
    """Crowley et al., 1810.04622: their reduced-depth networks."""
    solver = FewerBlocks(architecture("wrn_40_2"))
    macs = [solver.uniform(inner).macs for inner in solver.candidates]
    rounds = [round(macs[at] / 1e6, 2) for at in range(0, len(macs), 3)]
    assert rounds == [44.48, 101.11, 157.73, 214.35, 270.98, 327.60]


def test_by_depth_blocks_that_a_family_cannot_be_without_stay() -> None:
    solver = FewerBlocks(architecture("mobilenet_v2", stem="cifar"))
    fewest, whole = solver.candidates[0], solver.candidates[-1]
    assert 0 not in whole
    assert fewest.count(0) == 10  # of 17 blocks, seven have no shortcut (the first has no inside)
    found = scaled("mobilenet_v2", 0.7, {"by": "depth"}, stem="cifar")
    assert found.departures["blocks_removed"] > 0


def test_a_profile_names_no_more_stages_than_there_are() -> None:
    with pytest.raises(ValueError, match="resnet20 has 3 stages, the profile names more"):
        scaled("resnet20", 0.5, {"profile": {"stage4": 0.5}})
    narrow, plain = (
        scaled("cifar_vgg16_bn", 0.4, {"profile": profile}).architecture.params["widths"]
        for profile in ({"stage5": 0.5}, {})
    )
    assert narrow[4] / narrow[0] < 0.6 * plain[4] / plain[0]


def test_by_depth_the_last_block_of_the_last_stage_goes_first() -> None:
    candidates = FewerBlocks(architecture("resnet20")).candidates
    assert [inner.count(0) for inner in candidates] == [6, 5, 4, 3, 2, 1, 0]
    assert candidates[-3] == (
        16,
        16,
        16,
        32,
        32,
        0,
        64,
        64,
        0,
    )
    found = scaled("resnet20", 0.5, {"by": "depth"})
    assert found.departures["blocks_removed"] == 5
    assert found.departures["extra_inner_channels"] > 0


def test_by_inner_all_blocks_lose_the_same_share() -> None:
    found = scaled("resnet20", 0.5, {"by": "inner"})
    inner = found.architecture.params["inner"]
    factors = [width / base for width, base in zip(inner, (16,) * 3 + (32,) * 3 + (64,) * 3,
                                                   strict=True)]  # fmt: skip
    assert max(factors) - min(factors) <= 2 / 16


def test_a_profile_shapes_the_stages_and_only_its_ratios_count() -> None:
    found = scaled("resnet20", 0.4, {"profile": {"stage1": 2, "stage2": 1, "stage3": 0.5}})
    one, two, three = found.architecture.params["widths"]
    assert abs(one - two) <= 1
    assert abs(two - three) <= 1
    same = scaled("resnet20", 0.4, {"profile": {"stage1": 4, "stage2": 2, "stage3": 1}})
    assert same.architecture == found.architecture
    flat = scaled("resnet20", 0.4, {"profile": {}})
    assert flat.architecture == scaled("resnet20", 0.4, {}).architecture


def test_a_profile_that_the_family_cannot_have_is_infeasible() -> None:
    with pytest.raises(Infeasible, match="cannot narrow"):
        scaled("resnet20", 0.5, {"profile": {"stage1": 4}}, shortcut="A")
    with pytest.raises(ValueError, match="profile is of widths"):
        WidthScalingParams.model_validate({"by": "depth", "profile": {"stage1": 2}})


@pytest.mark.parametrize("params", WAYS, ids=str)
def test_an_unreachable_budget_reports_the_nearest_macs(
    params: dict[str, Any],
) -> None:
    given = context(architecture("resnet14"), 0.0001)
    method = WidthScaling(WidthScalingParams.model_validate(params))
    (promise,) = method.reach(given.architecture, [given.target])
    assert not promise.within
    with pytest.raises(Infeasible) as miss:
        method.run(given)
    assert promise.nearest_macs == miss.value.nearest_macs >= promise.smallest_macs


def test_networks_without_residual_blocks_cannot_lose_them() -> None:
    plain = context(architecture("cifar_vgg11_bn"), 0.5)
    with pytest.raises(ValueError, match="no blocks to leave out"):
        WidthScaling(WidthScalingParams(by="depth")).run(plain)
    found = WidthScaling(WidthScalingParams(by="inner")).run(plain)
    assert plain.target.lowest <= found.macs <= plain.target.macs
