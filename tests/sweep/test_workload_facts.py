"""What is known of data and network is told before anything runs: by `plan`, and by `sweep`."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console
from torch import Tensor, nn

from prunetune.models.family import FixedFamily
from prunetune.plugin import Params, models
from prunetune.records.key import digest
from prunetune.records.store import Store
from prunetune.registry import Entry
from prunetune.sweep import plan_sweep
from prunetune.sweep.workload_facts import workload_facts
from prunetune.tune.console import SweepConsole
from tests.cli.command import prunetune

SWEEP = """
name: recurrent
workload: {model: recurrent, dataset: digits}
budgets: [{sparsity: 0.5}]
arms: {sparse: {method: weight_pruning}}
training: {match: [marginal]}
"""


class Recurrent(nn.Module):
    """Convolutions, then a recurrent layer over the rows of the image."""

    def __init__(self, classes: int, channels: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(channels, 16, 3), nn.ReLU(), nn.Conv2d(16, 8, 3))
        self.reader, self.head = nn.LSTM(8, 8, batch_first=True), nn.Linear(8, classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.reader(self.stem(x).mean(3).transpose(1, 2))[0][:, -1])
        return logits


class RecurrentFamily(FixedFamily):
    name = "recurrent"

    def build(self, params: Params, classes: int, input_shape: tuple[int, int, int]) -> nn.Module:
        return Recurrent(classes, input_shape[0])


@pytest.fixture
def recurrent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    models.names()  # loaded
    entry = Entry("recurrent", RecurrentFamily(), Params)
    monkeypatch.setitem(models._entries, "recurrent", entry)
    (tmp_path / "recurrent.yaml").write_text(SWEEP)
    return tmp_path / "recurrent.yaml"


def test_operations_that_nobody_counts_are_told_by_module(recurrent: Path) -> None:
    told = prunetune("plan", recurrent)
    assert "MACs: module 'reader' calls lstm; neither PyTorch's counter nor" in told.stdout
    facts = json.loads(prunetune("plan", recurrent, "--json").stdout)
    assert facts["uncounted"] == {"reader": ["lstm"]}


def test_networks_that_are_counted_whole_say_nothing_of_it() -> None:
    facts = workload_facts(plan_sweep("quickstart"))
    assert facts.uncounted == {}
    assert [*facts.sentences()] == [f"data digits: {facts.data[0]}"]


def test_what_is_told_is_no_part_of_the_plan(recurrent: Path) -> None:
    plan = plan_sweep(recurrent)
    before = digest(plan.model_dump(mode="json", by_alias=True))
    workload_facts(plan)
    assert digest(plan.model_dump(mode="json", by_alias=True)) == before
    assert "uncounted" not in plan.model_dump_json()


@pytest.mark.parametrize("terminal", [False, True])
def test_a_sweep_tells_it_first(recurrent: Path, tmp_path: Path, terminal: bool) -> None:
    plan, out = plan_sweep(recurrent), io.StringIO()
    sentences = [*workload_facts(plan).sentences()]
    console = Console(file=out, force_terminal=terminal, width=40, highlight=False)
    observer = SweepConsole(plan, Store(tmp_path, "recurrent"), console)
    observer.say(sentences)
    observer.close()
    assert out.getvalue().splitlines()[: len(sentences)] == sentences
