"""How `prunetune ui` brings MLflow up to date: patiently, and with a warning for what is amiss."""

from __future__ import annotations

import logging
from pathlib import Path
from unittest.mock import Mock

import pytest
from mlflow import MlflowClient

from prunetune.plan import Plan
from prunetune.tracking import mlflow_store as store_module
from prunetune.tracking.mlflow_store import MlflowStore
from prunetune.tracking.writer import Writer
from tests.tracking.dump import by_key
from tests.tracking.sweeps import OWNER
from tests.tracking.test_faults import Slow, make_writer, spec_and_record
from tests.tracking.test_faults import warnings as warnings  # a fixture


def test_a_wait_without_bounds_says_what_it_waits_for_until_all_is_told(
    plan: Plan,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    warnings: pytest.LogCaptureFixture,
) -> None:
    warnings.set_level(logging.INFO, logger="prunetune")
    monkeypatch.setattr(store_module, "_SILENT_S", 0.1)
    monkeypatch.setattr(store_module, "_AGAIN_S", 0.25)
    store = MlflowStore(plan, None, tmp_path, OWNER.storage)
    writer = Mock(**{"unlike.return_value": (set(), set())})
    monkeypatch.setattr(store, "_open", lambda: writer)
    store._put(*(Slow(str(number)) for number in range(3)))
    store.finish(None)
    assert not store._backlog.left()
    left = [int(text.split("hear of ")[1].split()[0]) for text in warnings.messages]
    assert left == sorted(left, reverse=True)
    assert left[0] == 3
    assert left[-1] == 1


def test_a_sync_ends_what_a_dead_process_left_running_even_before_its_first_record(
    plan: Plan, storage: Path, client: MlflowClient
) -> None:
    dead = make_writer(plan, storage)
    spec, _ = spec_and_record(plan)
    dead.trial(spec, [])
    assert by_key(client, plan.sweep)[spec.key].info.status == "RUNNING"
    store = MlflowStore(plan, None, storage, OWNER.storage)
    store.sync([])
    store.finish(120)
    found = by_key(client, plan.sweep)
    assert found.pop(spec.key).info.status == "KILLED"
    assert {run.info.status for run in found.values()} == {"FINISHED"}


def test_trials_that_vanish_behind_our_back_and_runs_left_open_are_said(
    plan: Plan,
    storage: Path,
    monkeypatch: pytest.MonkeyPatch,
    warnings: pytest.LogCaptureFixture,
) -> None:
    _, record = spec_and_record(plan)

    def meddle(writer: Writer) -> None:
        client = writer._client
        client.delete_run(writer._runs[record.key].run_id)
        client.update_run(writer._runs["thin@0.5"].run_id, status="RUNNING")

    monkeypatch.setattr(Writer, "leave", meddle)
    store = MlflowStore(plan, None, storage, OWNER.storage)
    store.sync([record])
    store.finish(120)
    missing, running = warnings.messages
    assert f"was told of 1 trials and does not show them, among them {record.key}" in missing
    assert "as running although it has ended" in running
