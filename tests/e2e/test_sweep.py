"""A whole sweep as a user runs it: planned, run, killed, run again, looked at."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from prunetune import load_records
from prunetune.data.dataset import DatasetParams
from prunetune.data.digits import Digits
from prunetune.plan import Plan
from prunetune.records.store import Store
from prunetune.sweep import load_plan, plan_sweep
from prunetune.sweep.forecast import forecast
from prunetune.sweep.status import status_of
from prunetune.sweep.tracked import caught_up

TINY = Path(__file__).parent / "tiny.yaml"
WITHOUT_US = Path(__file__).parent / "without_prunetune.py"
SECONDS = 240


def prunetune(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*command(*words)], capture_output=True, text=True, timeout=SECONDS, check=False
    )


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "prunetune.cli", *map(str, words)]


def wait_for(condition, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert process.poll() is None, "the sweep ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, dict, dict]:
    """The tiny sweep, killed with all it had running in the middle, then run to its end.

    Returns its store, and what lay in records/ and in trial.json files when it was killed.
    """
    storage = tmp_path_factory.mktemp("runs")
    store = Store(storage, "tiny")
    words = command("sweep", TINY, "--storage", storage)
    process = subprocess.Popen(words, start_new_session=True, stdout=subprocess.DEVNULL)
    wait_for(lambda: len(list(store.root.glob("records/*.json"))) >= 4, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    records = {p: p.read_bytes() for p in store.root.glob("records/*.json")}
    trials = {p: p.read_bytes() for p in store.root.glob("trials/*/trial.json")}
    again = prunetune("sweep", TINY, "--storage", storage)
    assert again.returncode == 0, again.stderr
    assert "Traceback" not in again.stdout + again.stderr
    return store, records, trials


def test_kill_9_loses_and_changes_nothing(swept):
    store, records, trials = swept
    assert len(trials) > len(records)
    for path, content in {**records, **trials}.items():
        assert path.read_bytes() == content
    found = store.records()
    assert store.trials().keys() == found.keys()
    assert all(
        found[key].config == spec.config and found[key].seed == spec.seed
        for key, spec in store.trials().items()
    )


def test_what_ran_is_what_was_planned(swept):
    store = swept[0]
    plan = plan_sweep(TINY)
    told = forecast(plan, store.storage)
    records = store.records().values()
    assert told.trials == len(records)
    assert told.epochs == sum(r.epochs for r in records)
    assert told.train_macs == pytest.approx(sum(r.train_macs.train for r in records), rel=0.005)
    assert told.train_macs >= sum(r.train_macs.train for r in records)
    for row in told.rows:
        own = [r for r in records if (r.study or "dense") == row.study]
        assert Counter(r.phase for r in own) == dict(row.trials)
        assert {r.target_macs for r in own} == {row.target_macs}
        assert {r.epochs for r in own} == {row.epochs_each}
        assert all(row.target_macs * 0.995 <= r.macs <= row.target_macs for r in own)
    assert told.seconds is not None
    larger = plan.model_copy(update={"train_size": 10 * plan.train_size})
    assert forecast(larger, store.storage).seconds == pytest.approx(10 * told.seconds)


def test_reinit_differs_from_its_source_in_weights_alone(swept):
    found = swept[0].records()
    pairs = [r for r in found.values() if r.arm == "reinit"]
    assert {r.phase for r in pairs} == {"search", "confirm"}
    for record in pairs:
        source = found[record.inputs["architecture"]]
        assert record.architecture == source.architecture
        assert record.seed == source.seed or record.phase == "search"


def test_the_answer_is_told_everywhere_alike(swept):
    store = swept[0]
    report = json.loads(store.report_folder.file("report.json").read())
    confirmed = report["verdicts"][0]["arms"]
    frame = load_records("tiny", store.storage)
    for arm, result in confirmed.items():
        own = frame[(frame.arm == arm) & (frame.phase == "confirm")]
        assert result["mean"] == pytest.approx(own.test_acc1.mean())
        assert result["n"] == len(own) == 2
    status = status_of(store)
    assert status.done == status.owed == len(frame)
    assert status.unfinished == 0
    assert not status.running
    spent = sum(r.train_macs.spent for r in store.records().values())
    assert report["ledger"]["spent_macs"] == spent
    page = store.report_folder.file("index.html").read().decode()
    assert "pruned" in page


def test_mlflow_holds_every_trial_once(swept):
    mlflow = pytest.importorskip("mlflow")
    store = swept[0]
    client = mlflow.MlflowClient(f"sqlite:///{store.storage / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("tiny")
    runs = client.search_runs([experiment.experiment_id], max_results=1000)
    keys = Counter(r.data.tags.get("prunetune.key") for r in runs if _kind(r) == "trial")
    assert keys == dict.fromkeys(store.records(), 1)
    studies = {r.info.run_name for r in runs if _kind(r) == "study"}
    assert studies == {"dense", *(s.id for s in load_plan(store).studies)}


def _kind(run) -> str:
    return run.data.tags["prunetune.kind"]


def test_a_finished_sweep_is_not_run_again_and_says_that_its_server_is_down(swept):
    store = swept[0]
    before = {p: p.stat().st_mtime_ns for p in store.root.glob("records/*.json")}
    down = "tracking.uri=http://127.0.0.1:1"
    again = prunetune("sweep", TINY, "--storage", store.storage, "--set", down)
    assert again.returncode == 0
    assert {p: p.stat().st_mtime_ns for p in store.root.glob("records/*.json")} == before
    reading, away, left = again.stderr.splitlines()
    assert reading.startswith("prunetune: reading ")
    address = "prunetune: warning: MLflow at http://127.0.0.1:1"
    assert away.startswith(f"{address} does not answer (Connection refused); the sweep goes on")
    assert left.startswith(f"{address} has not heard of {len(before)} trials, ")
    assert "`prunetune ui tiny`" in left
    kept = store.messages_log.read_text()
    assert all(line.removeprefix("prunetune: warning: ") in kept for line in (away, left))


def test_the_ui_tells_mlflow_what_it_missed(swept):
    mlflow = pytest.importorskip("mlflow")
    store = swept[0]
    client = mlflow.MlflowClient(f"sqlite:///{store.storage / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("tiny").experiment_id
    lost = client.search_runs([experiment], "tags.`prunetune.arm` = 'thin'")
    assert len(lost) > 3
    for run in lost:
        client.delete_run(run.info.run_id)
    plan = load_plan(store)
    plan = plan.model_copy(update={"tracking": {"uri": None, "experiment": None}})
    assert caught_up(plan, store).uri.endswith("mlflow.db")
    runs = client.search_runs([experiment], max_results=1000)
    assert {r.data.tags["prunetune.key"] for r in lost} <= {
        r.data.tags["prunetune.key"] for r in runs
    }
    (study,) = [r for r in runs if r.data.tags["prunetune.key"].startswith("thin@")]
    assert study.data.metrics["confirm_n"] == 2
    models = client.search_logged_models([experiment], filter_string="name = 'thin@0_5 scratch_b'")
    assert {m.source_run_id for m in models} <= {r.info.run_id for r in runs}


def test_winners_are_as_accurate_as_their_records_where_prunetune_is_not_installed(swept, tmp_path):
    store = swept[0]
    records = store.records()
    test = Digits(DatasetParams()).load(tmp_path, train=False)
    pixels = test.pixels.permute(0, 3, 1, 2).numpy()
    np.savez(tmp_path / "test.npz", pixels=pixels, labels=test.labels.numpy())
    folders = [path.parent for path in (store.storage / "mlartifacts").rglob("MLmodel")]
    assert len(folders) >= 3
    words = [sys.executable, "-W", "ignore", WITHOUT_US, tmp_path / "test.npz", *folders]
    told = subprocess.run(words, capture_output=True, text=True, check=True, cwd=tmp_path)
    for line in told.stdout.splitlines():
        trial, accuracy, stated = json.loads(line)
        assert accuracy == pytest.approx(stated, abs=1e-6) == records[trial].test_acc1


def test_data_that_are_not_there_are_nobodys_failure(tmp_path):
    data = f"workload.dataset={{cifar10: {{root: {tmp_path}, train_limit: 200}}}}"
    ended = prunetune("sweep", TINY, "--storage", tmp_path / "runs", "--offline", "--set", data)
    assert ended.returncode == 3, ended.stderr
    assert "data_batch_1" in ended.stderr
    assert str(tmp_path) in ended.stderr
    assert "Traceback" not in ended.stderr
    assert Store(tmp_path / "runs", "tiny").records() == {}


def test_another_question_under_the_same_name_is_refused(swept):
    store = swept[0]
    plan = (store.root / "plan.json").read_bytes()
    refused = prunetune(
        "sweep", TINY, "--storage", store.storage, "--set", "training.finetune_epochs=3"
    )
    assert refused.returncode == 2
    assert "training.finetune_epochs: 2 -> 3" in refused.stderr
    assert (store.root / "plan.json").read_bytes() == plan


def test_growth_adds_trials_and_keeps_the_rest(swept):
    store = swept[0]
    before = store.records()
    words = command("sweep", TINY, "--storage", store.storage, "--set", "search.trials=3")
    grown = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert grown.stdout.readline().startswith("tiny: ")
    grown.stdout.close()  # as `| head -1` does
    assert grown.wait(SECONDS) == 0, grown.stderr.read()
    assert "Traceback" not in grown.stderr.read()
    after = store.records()
    assert all(after[key] == record for key, record in before.items())
    plan: Plan = load_plan(store)
    searched = Counter(r.study for r in after.values() if r.phase == "search")
    assert all(searched[s.id] >= 3 for s in plan.studies)
    history = json.loads((store.root / "plan.json").read_bytes())["growth"]
    assert "search.trials: 2 -> 3" in history[-1]["changes"]
