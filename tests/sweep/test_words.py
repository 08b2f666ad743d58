"""What a sweep says before its first trial and after its last."""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from prunetune.agenda import counts
from prunetune.config.file.parse import load_sweep
from prunetune.records.record_builder import RecordBuilder
from prunetune.records.store import Store
from prunetune.sweep import mlflow_link
from prunetune.sweep.commands import shell_command
from prunetune.sweep.first_words import announced
from prunetune.sweep.mlflow_link import link_told
from prunetune.tracking import ui
from prunetune.tracking.ui import UiError
from prunetune.tune.callbacks import Broadcast
from prunetune.tune.driver import Driver
from tests.tune.fakes import make_plan


def test_the_question_is_told_before_anything_large_is_imported() -> None:
    code = (
        "import sys\n"
        "from prunetune.sweep import run_sweep\n"
        "from prunetune.config.file.parse import load_sweep\n"
        "from prunetune.sweep.first_words import asked\n"
        "print(*asked(load_sweep('quickstart')), sep='\\n')\n"
        "print([m for m in ('torch', 'ray', 'mlflow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    spec = load_sweep("quickstart")
    question, compared, large = done.stdout.splitlines()
    assert question == f"quickstart: {spec.question}"
    assert all(name in compared for name in (*spec.arms, "0.15", "5 budgets", "resnet14", "digits"))
    assert large == "[]"


def test_the_work_is_told_and_what_is_done_of_it(tmp_path: Path) -> None:
    plan = make_plan(trials=2)
    store = Store(tmp_path, plan.sweep)
    whole = counts(plan).total
    told = "\n".join(announced(plan, store, 3661.2))
    assert f"{whole.total} trials, {whole.epochs} epochs" in told
    assert "very roughly 61 minutes on" in told
    assert str(store.root) in told
    assert "Ctrl-C" in told
    assert "goes on" not in told.replace("the same command goes on", "")
    spec = Driver(plan, store, Broadcast([])).deal().spec  # type: ignore[union-attr]
    store.write_record(RecordBuilder(spec).record("completed"))
    again = "\n".join(announced(plan, store, None))
    assert f"goes on: 1 of {whole.total} trials are done" in again
    assert "roughly" not in again


@pytest.mark.parametrize("storage", ["runs", "with space", "s3://b/f?region=x", "it's"])
def test_commands_mean_to_the_shell_what_they_say(storage: str) -> None:
    words = shlex.split(shell_command("ui", "my sweep", storage))
    assert words[:3] == ["prunetune", "ui", "my sweep"]
    assert words[3:] == ([] if storage == "runs" else ["--storage", storage])


@dataclass
class Tracking:
    """As much of MLflow's store as the link needs."""

    uri: str
    experiment: str = "e"
    owner: Any = None
    said: list[str] = field(default_factory=list)


def test_a_local_store_is_opened_by_a_command(tmp_path: Path) -> None:
    tracking = Tracking("sqlite:///mlflow.db")
    with link_told(tracking, "s", tmp_path, tracking.said.extend) as link:  # type: ignore[arg-type]
        assert shell_command("ui", "s", tmp_path) in tracking.said[0]
    assert link.address is None


def test_a_server_is_linked_as_soon_as_it_has_the_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([UiError("away"), UiError("no such experiment"), ("7", "frontier")])

    def frontier_of(*_: object) -> tuple[str, str]:
        answer = next(answers)
        if isinstance(answer, UiError):
            raise answer
        return answer

    monkeypatch.setattr(ui, "frontier_of", frontier_of)
    monkeypatch.setattr(mlflow_link, "_AGAIN_S", 0.01)
    tracking = Tracking("http://host:5000")
    with link_told(tracking, "s", "runs", tracking.said.extend) as link:  # type: ignore[arg-type]
        deadline = time.monotonic() + 20
        while link.address is None and time.monotonic() < deadline:
            time.sleep(0.01)
    assert link.address is not None
    assert link.address.startswith("http://host:5000/#/experiments/7/runs?")
    assert tracking.said == [f"MLflow: {link.address}"]


def test_a_sweep_without_mlflow_has_no_link() -> None:
    said: list[str] = []
    with link_told(None, "s", "runs", said.extend) as link:
        pass
    assert (said, link.address) == ([], None)
