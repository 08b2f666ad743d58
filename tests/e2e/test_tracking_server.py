"""MLflow's server on PostgreSQL, killed in the middle of a sweep and started again."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from prunetune.tracking import mlflow_store as store_module
from prunetune.tracking.mlflow_store import MlflowStore
from prunetune.tracking.ui import server
from tests.e2e.postgresql import binaries, postgresql
from tests.tracking.dump import by_key, curves
from tests.tracking.sweeps import OWNER, make_epochs, make_plan, make_record, make_specs

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(binaries() is None, reason="PostgreSQL is not installed"),
]
PATIENCE_S = 300


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with postgresql() as (uri, passwords):
        monkeypatch.setenv("PGPASSFILE", str(passwords))
        yield uri


def wait_until(happened: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_server_that_dies_and_returns_misses_nothing_and_both_are_said(
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, logger="prunetune")
    monkeypatch.setattr(store_module, "GATHER_S", 0.1)
    monkeypatch.setattr(store_module, "LONGEST_PAUSE_S", 1.0)
    plan = make_plan(arms={"thin": "width_scaling"}, budgets=(0.5,))
    specs = list(make_specs(plan))

    with server(database, start_s=PATIENCE_S) as (base, process):
        port = int(base.rpartition(":")[2])
        store = MlflowStore(plan, base, tmp_path, OWNER.storage)
        for spec in specs:
            store.on_dealt(spec)
        for epoch in make_epochs(specs[0])[:2]:
            store.on_epoch(specs[0], epoch)
        store.on_record(make_record(specs[1]))
        wait_until(lambda: not store._backlog.left())
        assert _password_is_nowhere(process.pid)
        os.killpg(process.pid, signal.SIGKILL)
    for epoch in make_epochs(specs[0])[2:]:
        store.on_epoch(specs[0], epoch)
    for spec in specs:
        store.on_record(make_record(spec))
    wait_until(lambda: "does not answer" in caplog.text)
    with server(database, port=port, start_s=PATIENCE_S):
        store.finish(PATIENCE_S)
        assert not store._backlog.left()
        client = MlflowClient(base)
        found = by_key(client, plan.sweep)
        for spec in specs:
            run = found[spec.key]
            assert run.info.status == "FINISHED"
            expected = [(e.epoch, e.val_acc1) for e in make_epochs(spec)]
            assert curves(client, run)["val_acc1"] == expected
    said = [r.getMessage() for r in caplog.records if r.name.startswith("prunetune")]
    assert sum("does not answer" in text for text in said) == 1
    assert sum("answers again" in text for text in said) == 1


def _password_is_nowhere(pid: int) -> bool:
    """Whether no process of the server's group shows a password to whoever calls `ps`."""
    listed = subprocess.run(["ps", "-eo", "pgid,args"], capture_output=True, text=True, check=True)
    lines = [line for line in listed.stdout.splitlines() if line.split()[0] == str(pid)]
    return bool(lines) and not any("not to be seen" in line for line in lines)
