"""The driver dies, by surprise or on request, and the same command goes on."""

import os
import pty
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from prunetune.agenda import counts
from prunetune.records.store import Store
from prunetune.tune.callbacks import Broadcast
from prunetune.tune.driver import Driver
from tests.tune.fakes import make_plan, starts
from tests.tune.test_driver import run_out

ROOT = Path(__file__).parents[2]
PATIENCE_S = 180


def start(storage: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.e2e.ray_sweep", str(storage)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def wait_for(store: Store, more: int, process: subprocess.Popen) -> None:
    """Until `more` records have come and a trial is in the middle of its training."""
    before = len(store.records())
    deadline = time.monotonic() + PATIENCE_S
    while len(store.records()) < before + more or not in_training(store):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, "no progress"
        time.sleep(0.05)


def in_training(store: Store) -> list[str]:
    done = store.records().keys()
    unfinished = [key for key in store.trials() if key not in done]
    return [key for key in unfinished if store.trial_folder(key).file("epochs").exists()]


def snapshot(store: Store) -> dict[Path, bytes]:
    folders = (store.root / "records", store.root / "trials")
    names = ("*.json", "*/trial.json")
    return {p: p.read_bytes() for f, name in zip(folders, names, strict=True) for p in f.glob(name)}


def kill_a_worker(process: subprocess.Popen) -> None:
    """Kill -9 one of the processes in which Ray runs trials; that of a trial in training."""
    for worker in psutil.Process(process.pid).children(recursive=True):
        with suppress(psutil.Error):
            if " ".join(worker.cmdline()).startswith(("ray::TrialActor", "prunetune ")):
                worker.kill()
                return
    pytest.fail("no worker")


def undisturbed(store: Store) -> Store:
    """The same sweep without Ray, and without anybody who kills it."""
    driver = Driver(make_plan(trials=4), store, Broadcast([]), slots=2)
    run_out(driver, random.Random(0))
    return store


def facts(store: Store) -> dict[str, dict]:
    """All of each record but times and where it ran."""
    free = {"started_at", "ended_at", "departures"}
    return {k: r.model_dump(mode="json", exclude=free) for k, r in store.records().items()}


def test_nothing_is_lost_repeated_or_changed_by_kill_and_interrupt(tmp_path):
    plan, store = make_plan(trials=4), Store(tmp_path, "fake")

    process = start(tmp_path)
    wait_for(store, 1, process)
    kill_a_worker(process)
    wait_for(store, 2, process)
    process.kill()
    process.wait()
    killed, torn = snapshot(store), in_training(store)
    assert torn

    process = start(tmp_path)
    wait_for(store, 2, process)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of its processes
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    interrupted = snapshot(store)
    assert killed.items() <= interrupted.items()

    process = start(tmp_path)
    output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, output
    assert "raylet" not in output
    assert "Traceback" not in output
    assert interrupted.items() <= snapshot(store).items()
    records = store.records()
    assert len(records) == counts(plan).total.total
    assert {r.status for r in records.values()} == {"completed"}
    assert all(
        [e.epoch for e in r.curve] == [*range(1, r.epochs_planned + 1)] for r in records.values()
    )
    assert any(len(starts(store, key)) > 1 for key in torn)
    assert facts(store) == facts(undisturbed(Store(tmp_path / "calm", "fake")))
    told = "waiting for Ray", "Ray did not start"  # on a busy machine
    lines = [line for line in output.splitlines() if line and not line.startswith(told)]
    assert all(f"/{len(records)}  " in line for line in lines), output


def test_sigterm_ends_a_sweep_with_143(tmp_path):
    store = Store(tmp_path, "fake")
    process = start(tmp_path)
    wait_for(store, 0, process)
    os.kill(process.pid, signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 143, output
    assert in_training(store)


def test_a_terminal_that_closes_ends_a_sweep_in_order(tmp_path):
    """All processes get SIGHUP, Ray's too; the shell sends it again; no word can be shown."""
    store = Store(tmp_path, "fake")
    child, terminal = pty.fork()
    if not child:
        os.chdir(ROOT)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # these tests themselves may be under nohup
        os.execv(sys.executable, [sys.executable, "-m", "tests.e2e.ray_sweep", str(tmp_path)])
    deadline = time.monotonic() + PATIENCE_S
    while not in_training(store):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.close(terminal)
    os.kill(child, signal.SIGHUP)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 129
    assert in_training(store)
