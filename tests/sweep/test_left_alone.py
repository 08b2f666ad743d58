"""Channels that no cut is proved for: the plan names them, `plan` prints them, trials keep them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from prunetune.agenda.specs import Ask, search_spec
from prunetune.compress.proof import proved_groups
from prunetune.compress.proof.proved_groups import prunable_groups
from prunetune.models.family import FixedFamily
from prunetune.plan import Plan
from prunetune.plugin import Params, models
from prunetune.records.key import digest
from prunetune.records.store import Store
from prunetune.registry import Entry
from prunetune.sweep import plan_sweep
from prunetune.trial.trainer import Trainer
from tests.cli.command import prunetune

SWEEP = """
name: flipped
workload: {model: flipped, dataset: digits, dense: {train: {epochs: 1}}}
budgets: [0.7]
tolerance: 0.05
arms: {pruned: {method: {channel_pruning: {scope: local}}}}
training: {finetune_epochs: 1}
"""


class Flipped(nn.Module):
    """Channels are added to themselves in the reverse order; a tail can be pruned."""

    def __init__(self, classes: int, channels: int) -> None:
        super().__init__()
        self.stem, self.inner = nn.Conv2d(channels, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.tail, self.head = nn.Conv2d(8, 32, 3, padding=1), nn.Linear(32, classes)

    def forward(self, x: Tensor) -> Tensor:
        y = self.stem(x).relu()
        logits: Tensor = self.head(self.tail(y + self.inner(y).flip(1)).relu().mean((2, 3)))
        return logits


class FlippedFamily(FixedFamily):
    name = "flipped"

    def build(self, params: Params, classes: int, input_shape: tuple[int, int, int]) -> nn.Module:
        return Flipped(classes, input_shape[0])

    def initialise(self, model: nn.Module) -> None:
        for layer in (model.stem, model.inner, model.tail, model.head):
            layer.reset_parameters()


class Shuffled(Flipped):
    """Nothing of it can be pruned."""

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.tail(self.stem(x).flip(1)).relu().flip(1).mean((2, 3)))
        return logits


class ShuffledFamily(FlippedFamily):
    def build(self, params: Params, classes: int, input_shape: tuple[int, int, int]) -> nn.Module:
        return Shuffled(classes, input_shape[0])


def planned_with(family: FlippedFamily, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    models.names()  # loaded
    monkeypatch.setitem(models._entries, "flipped", Entry("flipped", family, Params))
    (folder / "flipped.yaml").write_text(SWEEP)
    return folder / "flipped.yaml"


@pytest.fixture
def flipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return planned_with(FlippedFamily(), tmp_path, monkeypatch)


def test_plan_names_them_with_the_reason_and_their_share_of_the_macs(flipped: Path) -> None:
    said = prunetune("plan", flipped)
    assert "pruning: the output channels of stem are left alone: a cut network" in said.stdout
    # 8 channels of the stem's 9 * 8 and of inner's 9 * 8 * 8 MACs a position, 9 * 8 of the tail's
    whole, fixed = 9 * (8 + 8 * 8 + 8 * 32), 9 * (8 + 8 * 8 + 8)
    share = 64 * fixed / (64 * whole + 320)
    assert f"for it, {100 * share:.1f} % of the MACs cannot be pruned" in said.stdout
    facts = json.loads(prunetune("plan", flipped, "--json").stdout)
    assert [entry["layer"] for entry in facts["left_alone"]] == ["stem"]


def test_the_plan_holds_them_only_where_there_are_some(flipped: Path) -> None:
    plan = plan_sweep(flipped)
    facts = plan.model_dump(mode="json", by_alias=True)
    assert [entry["layer"] for entry in facts["left_alone"]] == ["stem"]
    assert Plan.model_validate(facts) == plan
    without = plan_sweep("quickstart")
    assert "left_alone" not in without.model_dump(mode="json", by_alias=True)
    assert "left_alone" not in without.model_dump_json(by_alias=True)
    assert digest(without.model_dump(mode="json")) != digest(plan.model_dump(mode="json"))


def test_trials_believe_the_plan_and_keep_these_channels(
    flipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_sweep(flipped)
    study = plan.studies[0]
    trial = search_spec(plan, Ask(study, 0, 0), {"method.scope": "local"}, {})
    assert [entry["layer"] for entry in trial.left_alone or ()] == ["stem"]
    monkeypatch.setattr(proved_groups, "_left_alone", {})
    monkeypatch.setattr(proved_groups, "_groups", {})
    monkeypatch.setattr(proved_groups, "prove", None)  # a worker must not prove again
    folder = Store(tmp_path, "flipped").trial_folder(trial.key)
    trainer = Trainer(trial, folder, torch.device("cpu"), download=False)
    architecture = trainer.workload.architecture
    assert [g.name for g in prunable_groups(Flipped(10, 1), architecture)] == ["tail"]


def test_a_network_that_cannot_be_cut_is_refused_when_the_sweep_is_planned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = planned_with(ShuffledFamily(), tmp_path, monkeypatch)
    said = prunetune("plan", path)
    assert said.returncode == 2
    assert "no channels of flipped can be pruned: stem: " in said.stderr
    assert "Traceback" not in said.stderr


class Masked(Flipped):
    """Reads those channels that a buffer names; on the device "meta" the buffer has no values."""

    def __init__(self, classes: int, channels: int) -> None:
        super().__init__(classes, channels)
        self.register_buffer("reads", torch.arange(8) != 3)
        self.tail = nn.Conv2d(7, 32, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.inner(self.stem(x))[:, self.reads]
        logits: Tensor = self.head(self.tail(y).relu().mean((2, 3)))
        return logits


class MaskedFamily(FlippedFamily):
    def build(self, params: Params, classes: int, input_shape: tuple[int, int, int]) -> nn.Module:
        return Masked(classes, input_shape[0])


def test_buffers_that_say_where_channels_go_have_their_values_when_a_sweep_is_planned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = planned_with(MaskedFamily(), tmp_path, monkeypatch)
    plan = plan_sweep(path)
    assert plan.dense.macs == 64 * 9 * (8 + 8 * 8 + 7 * 32) + 320
    assert [entry.layer for entry in plan.left_alone] == ["inner"]
