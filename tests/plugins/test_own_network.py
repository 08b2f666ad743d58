"""A network of a user's: pruned, thinned and re-initialised exactly, and rebuilt elsewhere."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator

import pytest
import safetensors.torch
import torch

from prunetune.agenda import Agenda, Ask, Finished, Trials, due, search_spec
from prunetune.compress.budget.costs import count_macs
from prunetune.compress.method import CompactModel, Context, Target
from prunetune.compress.methods.channel_pruning.method import ChannelPruning
from prunetune.compress.methods.channel_pruning.params import ChannelPruningParams
from prunetune.compress.methods.reinit import Reinit, ReinitParams
from prunetune.compress.methods.width_scaling.method import WidthScaling, WidthScalingParams
from prunetune.compress.network.rebuild import fresh, rebuild
from prunetune.config.parts import Params
from prunetune.models.module import ModuleParams
from prunetune.plan import Plan
from prunetune.records.architecture import Architecture
from prunetune.records.record_builder import RecordBuilder
from prunetune.records.store import Store
from prunetune.sweep import plan_sweep
from prunetune.testing import check_model
from prunetune.testing.model_laws import check_rebuild
from prunetune.testing.networks import Network, as_if_trained
from prunetune.trial import run_trial
from prunetune.user_code.find import ClassError
from tests.plugins.installing import python
from tests.plugins.own_code import OWN, beside

BUDGETS = (0.5, 0.2)
TOLERANCE = 0.005
REBUILT = """
import json, sys, torch, safetensors.torch
from prunetune import rebuild
from prunetune.records.architecture import Architecture

for folder in sys.argv[1:]:
    model = rebuild(Architecture.model_validate_json(open(f"{folder}/architecture.json").read()))
    model.load_state_dict(safetensors.torch.load_file(f"{folder}/weights.safetensors"))
    images = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    print(json.dumps(model.eval()(images).tolist()))
"""


@pytest.fixture(scope="module")
def plan() -> Iterator[Plan]:
    with beside(OWN):
        yield plan_sweep(OWN / "sweep.yaml")


@pytest.fixture(scope="module")
def dense(plan: Plan) -> Architecture:
    return Architecture.model_validate(plan.dense.architecture)


@pytest.fixture(scope="module")
def networks(dense: Architecture) -> dict[tuple[str, float], CompactModel]:
    """Method and budget -> the network that the method makes."""
    model = as_if_trained(fresh(dense, seed=0))
    macs, made = count_macs(model, dense.input_shape), {}
    for budget in BUDGETS:
        target = Target(int(macs * budget), macs, TOLERANCE)

        def run(method: type, params: Params, target=target, **more) -> CompactModel:  # type: ignore[no-untyped-def]
            context = Context(dense, target, torch.Generator(), lambda a: fresh(a, 1), **more)
            return method(params).run(context)

        pruned = run(ChannelPruning, ChannelPruningParams(recalibrate=0), dense=model)
        again = run(Reinit, ReinitParams(arm="pruned"), source=pruned.architecture)
        thin = run(WidthScaling, WidthScalingParams())
        made |= {("pruned", budget): pruned, ("reinit", budget): again, ("thin", budget): thin}
    return made


def test_the_architecture_is_class_arguments_and_widths(plan: Plan, dense: Architecture) -> None:
    assert plan.dense.network == "small_cnn.SmallCNN"
    assert dense.model == "module"
    assert dense.params["class"] == "small_cnn.SmallCNN"
    assert dense.params["args"] == {"classes": 10, "width": 16}
    assert dense.layers["stage2.gate.fc"] == (48, 48)
    assert Architecture.model_validate(json.loads(dense.model_dump_json())) == dense


def test_it_keeps_the_laws_of_every_model(plan: Plan) -> None:
    params = {"class": "small_cnn.SmallCNN", "args": {"classes": 4, "width": 8}}
    check_model("module", params, input_shape=(1, 8, 8))


def test_every_budget_is_met_exactly(
    networks: dict[tuple[str, float], CompactModel], plan: Plan
) -> None:
    for (_, budget), network in networks.items():
        target = int(plan.dense.macs * budget)
        assert target * (1 - TOLERANCE) <= network.macs <= target
        assert count_macs(network.model, (1, 8, 8)) == network.macs


def test_thin_is_one_factor_over_all_groups(
    networks: dict[tuple[str, float], CompactModel], dense: Architecture
) -> None:
    for budget in BUDGETS:
        thin = networks["thin", budget].architecture.channels()
        shares = [w / dense.channels()[n] for n, w in thin.items() if n != "logits"]
        assert max(shares) - min(shares) <= 1 / 16  # a channel of the narrowest group
        assert math.isclose(sum(shares) / len(shares), budget**0.5, abs_tol=0.06)
        assert thin["logits"] == 10


def test_reinit_has_the_widths_of_pruned_and_other_weights(
    networks: dict[tuple[str, float], CompactModel],
) -> None:
    for budget in BUDGETS:
        pruned, again = networks["pruned", budget], networks["reinit", budget]
        assert pruned.architecture == again.architecture
        weights = (network.model.get_parameter("stem.0.weight") for network in (pruned, again))
        assert not torch.equal(*weights)


def test_initial_weights_are_drawn_by_the_class_at_any_widths(
    networks: dict[tuple[str, float], CompactModel], dense: Architecture
) -> None:
    from small_cnn import SmallCNN

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        own = SmallCNN(classes=10, width=16).state_dict()
    assert all(torch.equal(v, own[n]) for n, v in fresh(dense, 3).state_dict().items())
    weight = networks["thin", 0.2].model.get_parameter("stage2.conv1.weight")
    rule = (2 / (weight.shape[0] * 9)) ** 0.5  # Kaiming over the fan-out, as in the class
    assert math.isclose(weight.std().item(), rule, rel_tol=0.1)


@pytest.mark.slow
def test_it_is_rebuilt_in_a_fresh_process(
    networks: dict[tuple[str, float], CompactModel], tmp_path
) -> None:
    images = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    expected = []
    for i, network in enumerate(networks.values()):
        folder = tmp_path / str(i)
        folder.mkdir()
        (folder / "architecture.json").write_text(network.architecture.model_dump_json())
        state = {n: v.contiguous() for n, v in network.model.state_dict().items()}
        safetensors.torch.save_file(state, folder / "weights.safetensors")
        expected.append(network.model.eval()(images).tolist())
    folders = [tmp_path / str(i) for i in range(len(networks))]
    done = python("-c", REBUILT, *folders, path=OWN)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line) for line in done.stdout.splitlines()] == expected


def test_where_the_class_is_missing_rebuild_names_it(dense: Architecture) -> None:
    elsewhere = dense.model_copy(update={"params": {"class": "nowhere.SmallCNN"}})
    with pytest.raises(ClassError, match=r"^nowhere\.SmallCNN cannot be imported: ModuleNotFound"):
        rebuild(elsewhere)
    edited = dense.model_copy(update={"params": {**dense.params, "digest": "0" * 16}})
    with pytest.raises(ClassError, match=r"^small_cnn\.SmallCNN: its code has changed"):
        rebuild(edited)


@pytest.mark.slow
def test_all_trials_of_its_sweep_run(plan: Plan, tmp_path) -> None:
    store = Store(tmp_path, plan.sweep)

    def step() -> object:
        return due(Agenda(plan, Trials(store.records(), store.trials())))

    while not isinstance(asked := step(), Finished):
        spec = (
            search_spec(plan, asked, asked.study.space.constants(), store.records())
            if isinstance(asked, Ask)
            else asked.spec
        )
        store.write_trial(spec)
        builder = RecordBuilder(spec)
        for report in run_trial(spec, store, device="cpu", offline=True):
            builder.add(report)
        store.write_record(builder.record())
    records = store.records().values()
    assert len(records) == 14  # 2 dense, then a search and a confirm trial of six studies
    assert {record.status for record in records} == {"completed"}


def test_a_constructor_that_insists_on_its_widths_gets_default_weights_instead(
    monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    (tmp_path / "stubborn.py").write_text(
        "from torch import nn\n"
        "class Net(nn.Sequential):\n"
        "    def __init__(self):\n"
        "        conv, pool = nn.Conv2d(1, 8, 3, padding=1), nn.AdaptiveAvgPool2d(1)\n"
        "        super().__init__(conv, nn.ReLU(), pool, nn.Flatten(), nn.Linear(8, 4))\n"
        "        assert self[0].weight.shape[0] == 8\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with beside(tmp_path):
        narrow = Architecture(
            model="module", params={"class": "stubborn.Net"}, classes=4, input_shape=(1, 8, 8),
            layers={"0": (1, 3, 1), "4": (3, 4)},
        )  # fmt: skip
        first, again, other = (fresh(narrow, seed).state_dict() for seed in (0, 0, 1))
    assert first["0.weight"].shape == (3, 1, 3, 3)
    assert all(torch.equal(value, again[name]) for name, value in first.items())
    assert not torch.equal(first["0.weight"], other["0.weight"])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet10t"])
def test_a_network_of_an_installed_library(name: str) -> None:
    pytest.importorskip("timm", reason="timm is no dependency; it is not installed here")
    named = {"class": f"timm.models.{name}", "args": {"num_classes": 4}}
    params = ModuleParams.model_validate(named).pinned()
    facts = params.model_dump(mode="json", exclude_defaults=True)
    network = Network("module", facts, (3, 32, 32), 4)
    macs, shape = count_macs(network.model, network.input_shape), network.input_shape
    for budget in BUDGETS:
        target = Target(int(macs * budget), macs, TOLERANCE)
        context = Context(network.architecture, target, torch.Generator(), lambda a: fresh(a, 1))
        thin = WidthScaling(WidthScalingParams()).run(context)
        context.dense = network.model
        pruned = ChannelPruning(ChannelPruningParams(recalibrate=0)).run(context)
        context.source = pruned.architecture
        for compact in (thin, pruned, Reinit(ReinitParams(arm="pruned")).run(context)):
            assert target.lowest <= compact.macs <= target.macs
            assert count_macs(compact.model, shape) == compact.macs
            check_rebuild(name, compact.architecture, compact.model)
