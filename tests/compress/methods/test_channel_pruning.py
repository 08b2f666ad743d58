from __future__ import annotations

from typing import Any, get_args

import pytest
import torch
from torch import nn

from prunetune.compress.budget.costs import CostTable, count_macs
from prunetune.compress.budget.ranking import Scope, floors_of
from prunetune.compress.criterion import Scene
from prunetune.compress.method import CompactModel, Context, Infeasible, Target
from prunetune.compress.methods.channel_pruning.method import ChannelPruning
from prunetune.compress.methods.channel_pruning.params import ChannelPruningParams
from prunetune.compress.methods.channel_pruning.rounds import macs_by_round
from prunetune.compress.network.rebuild import rebuild
from prunetune.compress.proof.proved_groups import find_groups, prunable_groups
from prunetune.registry import criteria, models
from tests.compress.nets import BUDGETS, architecture, context, image, trained

SCOPES = get_args(Scope)
R20, R56, R56A = (
    architecture("resnet20"),
    architecture("resnet56"),
    architecture("resnet56", shortcut="A"),
)
MODELS = {id(n): trained(n) for n in (R20, R56, R56A)}


def prune(given: Context, **params: Any) -> CompactModel:
    found = ChannelPruning(ChannelPruningParams(**params)).run(given)
    assert isinstance(found, CompactModel)
    return found


WEIGHTS = [name for name in criteria.names() if criteria.get(name).part.needs == "weights"]


@pytest.mark.slow
@pytest.mark.parametrize(("network", "criterion", "budgets"), [
    (R56, "magnitude", (0.5, 0.05)), *((R20, name, (0.5, 0.125)) for name in WEIGHTS),
])  # fmt: skip
@pytest.mark.parametrize("scope", SCOPES)
def test_the_budget_is_met(criterion: str, scope: str, network: Any, budgets: Any) -> None:
    for share in budgets:
        given = context(network, share, MODELS[id(network)])
        found = prune(given, criterion=criterion, scope=scope)
        assert given.target.lowest <= found.macs <= given.target.macs
        assert found.macs == count_macs(found.model, network.input_shape)


@pytest.mark.slow
@pytest.mark.parametrize("scope", SCOPES)
def test_option_a_meets_budgets_that_the_floors_allow_and_reports_the_others(scope: str) -> None:
    model = MODELS[id(R56A)]
    groups = prunable_groups(model, R56A)
    costs = CostTable.measure(model, R56A.input_shape, groups)
    smallest = costs.macs(floors_of(scope, costs.widths, 0.1))  # type: ignore[arg-type]
    for share in (0.5, 0.125, 0.03):
        given = context(R56A, share, model)
        if given.target.macs < smallest:
            with pytest.raises(Infeasible) as miss:
                prune(given, scope=scope)
            assert miss.value.nearest_macs == smallest
        else:
            assert given.target.lowest <= prune(given, scope=scope).macs <= given.target.macs


@pytest.mark.parametrize("steps", [1, 4])
def test_floors_hold_and_kept_says_which_weights_stayed(steps: int) -> None:
    given = context(R20, 0.06, MODELS[id(R20)])
    found = prune(given, scope="protected_global", floor=0.2, steps=steps)
    assert given.target.lowest <= found.macs <= given.target.macs
    widths = found.architecture.channels()
    dense = R20.channels()
    for name, channels in found.kept.items():
        assert widths[name] == len(channels) >= 0.2 * dense[name]
        norm = f"{name.replace('conv', 'bn')}.running_var"
        assert torch.equal(
            MODELS[id(R20)].state_dict()[norm][channels], found.model.state_dict()[norm]
        )


@pytest.mark.parametrize("network", [R20, R56A])
def test_the_network_is_rebuilt_from_its_architecture_bit_for_bit(network: Any) -> None:
    found = prune(context(network, 0.25, MODELS[id(network)]), scope="global")
    again = rebuild(type(network).model_validate_json(found.architecture.model_dump_json()))
    again.load_state_dict(found.model.state_dict())
    x = image(network, torch.float32)
    for memory_format in (torch.contiguous_format, torch.channels_last):
        a, b = (m.eval().to(memory_format=memory_format)(x) for m in (again, found.model))
        assert torch.equal(a, b)


def test_a_run_repeats_itself_and_leaves_the_dense_network_alone() -> None:
    model = MODELS[id(R20)]
    before = {key: value.clone() for key, value in model.state_dict().items()}
    first, second = (prune(context(R20, 0.3, model), criterion="random", steps=3) for _ in "ab")
    assert first.kept == second.kept
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())


def test_batch_norm_is_recalibrated_with_as_many_images_as_asked_for() -> None:
    asked: list[int] = []
    given = context(R20, 0.5, MODELS[id(R20)])
    given.recalibrate = lambda model, images: asked.append(images)
    prune(given, recalibrate=256)
    prune(given, recalibrate=0)
    assert asked == [256]


def test_a_criterion_that_applies_nowhere_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 2, 1))
    assert find_groups(plain, (3, 4, 4), [plain[1]])
    monkeypatch.setattr(models.get("resnet20").part, "ignored_layers", lambda m: [m[1]], False)
    given = context(R20, 0.5, MODELS[id(R20)])
    given.dense = plain
    with pytest.raises(ValueError, match="'bn_scale' is defined for none of the 1 prunable groups"):
        prune(given, criterion="bn_scale")


def test_scores_that_are_not_finite_are_refused() -> None:
    model = trained(R20)
    with torch.no_grad():
        model.get_submodule("layer1.0.conv1").weight[0] = torch.nan
    with pytest.raises(ValueError, match="scores of group conv1 are not finite"):
        prune(context(R20, 0.5, model))


@pytest.mark.parametrize("how", ["divide", "subtract"])
@pytest.mark.parametrize("scope", ["isomorphic", "protected_global"])
def test_the_budget_is_met_with_costs_in_mind(scope: str, how: str) -> None:
    for share in BUDGETS[::3]:
        given = context(R20, share, MODELS[id(R20)])
        found = prune(given, scope=scope, cost_aware=how, steps=2)
        assert given.target.lowest <= found.macs <= given.target.macs


def test_cost_weight_zero_ignores_costs() -> None:
    plain, weightless = (
        prune(context(R20, 0.4, MODELS[id(R20)]), **params)
        for params in ({}, {"cost_aware": "subtract", "cost_weight": 0.0})
    )
    assert plain.kept == weightless.kept


def test_expensive_channels_are_removed_if_costs_count() -> None:
    kept = {
        how: prune(context(R20, 0.5, MODELS[id(R20)]), criterion="random", cost_aware=how).kept
        for how in ("none", "divide")
    }
    stem = "conv1"  # the widest images, and read by all of the first stage
    assert len(kept["divide"][stem]) < len(kept["none"][stem])


def test_ratios_decide_where_channels_go_and_the_budget_how_many() -> None:
    ratios = {"conv1": 0, "layer1": 0.3, "layer3/1/conv1": 0}
    for share in (0.7, 0.4):
        given = context(R20, share, MODELS[id(R20)])
        found = prune(given, scope="per_group", ratios=ratios)
        assert given.target.lowest <= found.macs <= given.target.macs
        lost = {name: 1 - len(c) / R20.channels()[name] for name, c in found.kept.items()}
        assert lost["conv1"] == lost["layer3.1.conv1"] == 0
        for name, share_lost in lost.items():
            if name.startswith("layer1"):
                assert share_lost == pytest.approx(0.3 * lost["layer3.2.conv1"], abs=1 / 16)
            elif lost[name]:
                assert share_lost == pytest.approx(lost["layer3.2.conv1"], abs=1 / 16)


def test_all_rates_zero_is_infeasible_and_a_foreign_pattern_an_error() -> None:
    given = context(R20, 0.5, MODELS[id(R20)])
    with pytest.raises(Infeasible) as miss:
        prune(given, scope="per_group", ratios={"conv1": 0, "layer1": 0, "layer2": 0, "layer3": 0})
    assert miss.value.nearest_macs == given.target.dense_macs
    with pytest.raises(ValueError, match="'layer4'"):
        prune(given, scope="per_group", ratios={"layer4": 1})


@pytest.mark.slow
def test_a_smaller_budget_keeps_no_more_of_any_group() -> None:
    for scope in SCOPES:
        before = {name: width + 1 for name, width in R20.channels().items()}
        for share in BUDGETS:
            given = context(R20, share, MODELS[id(R20)])
            found = prune(given, scope=scope)
            assert all(len(channels) <= before[name] for name, channels in found.kept.items())
            assert sum(map(len, found.kept.values())) < sum(before[name] for name in found.kept)
            before = {name: len(channels) for name, channels in found.kept.items()}


def test_every_round_scores_the_network_that_the_last_one_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[int] = []

    def score(self: object, scene: Scene) -> list[torch.Tensor]:
        """First units first in the first round, last ones first in the second."""
        seen.append(count_macs(scene.model, scene.input_shape))
        up = [torch.arange(float(group.width)).double() for group in scene.groups]
        return up if len(seen) == 1 else [scores.flip(0) for scores in up]

    monkeypatch.setattr(criteria.get("magnitude").part, "score", score)
    given = context(R20, 0.3, MODELS[id(R20)])
    found = prune(given, scope="local", steps=2)
    first = macs_by_round(ChannelPruningParams(steps=2), given.target)[0]
    assert seen[0] == given.target.dense_macs
    assert first * 0.9 < seen[1] <= first
    for name, channels in found.kept.items():
        assert channels == list(range(channels[0], channels[-1] + 1))
        assert 0 < channels[0] <= channels[-1] < R20.channels()[name] - 1


def test_every_round_is_refitted_towards_the_dense_network(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[nn.Module, list[int], list[int]]] = []

    def refit(self: object, scene: Scene, compact: nn.Module, kept: Any) -> None:
        widths = [len(compact.get_submodule(group.name).weight) for group in scene.groups]
        told.append((scene.model, [len(units) for units in kept], widths))

    monkeypatch.setattr(criteria.get("magnitude").part, "refit", refit, raising=False)
    given = context(R20, 0.3, MODELS[id(R20)])
    found = prune(given, steps=3)
    assert [model is given.dense for model, *_ in told] == [True] * 3
    assert all(kept == widths for _, kept, widths in told)
    assert told[-1][1] == [len(channels) for channels in found.kept.values()]


@pytest.mark.slow
def test_a_group_that_the_criterion_is_undefined_for_stays_whole_and_is_named() -> None:
    vgg = architecture("vgg11_bn", size=32)
    found = prune(context(vgg, 0.5), criterion="bn_scale")
    unscored = found.departures["unscored"]
    assert unscored == ["classifier.0", "classifier.3"]
    assert not set(unscored) & found.kept.keys()
    assert all(vgg.channels()[n] == found.architecture.channels()[n] for n in unscored)


@pytest.mark.parametrize("schedule", ["geometric", "linear", "cubic"])
def test_macs_fall_round_by_round_and_end_at_the_target(schedule: Any) -> None:
    target = Target(100, 900, 0.005)
    for steps in (1, 2, 7):
        found = macs_by_round(ChannelPruningParams(steps=steps, schedule=schedule), target)
        assert len(found) == steps
        assert found[-1] == 100
        assert found == sorted(found, reverse=True)
        assert max(found) < 900
    middle = macs_by_round(ChannelPruningParams(steps=2, schedule=schedule), target)[0]
    assert middle == {"geometric": 300, "linear": 500, "cubic": 200}[schedule]
