"""MLflow away, slow, refusing or cut off in the middle: the sweep goes on and MLflow catches up."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from mlflow import MlflowClient

from prunetune.plan import Plan
from prunetune.tracking import mlflow_store as store_module
from prunetune.tracking.layout import StudyResult
from prunetune.tracking.mlflow_store import MlflowStore
from prunetune.tracking.updates import ReplacingUpdate
from prunetune.tracking.writer import Writer
from tests.tracking.dump import by_key, dump
from tests.tracking.sweeps import OWNER, make_epochs, make_plan, make_record, make_spec

WRITES = ("create_experiment", "set_experiment_tag", "create_run", "log_batch", "log_inputs")


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Ours alone; the libraries' go to the log too, and there they belong."""
    caplog.set_level(logging.ERROR)
    caplog.set_level(logging.WARNING, logger="prunetune")
    return caplog


def spec_and_record(plan: Plan) -> tuple[Any, Any]:
    spec = make_spec(plan, plan.study("thin@0.5"), 0)
    return spec, make_record(spec)


def tell_everything(store: MlflowStore, plan: Plan) -> None:
    spec, record = spec_and_record(plan)
    store.on_dealt(spec)
    for epoch in make_epochs(spec):
        store.on_epoch(spec, epoch)
    store.on_record(record)


@pytest.mark.slow
def test_a_store_that_comes_back_is_caught_up_within_the_sweep(
    plan: Plan,
    tmp_path: Path,
    empty_database: Path,
    monkeypatch: pytest.MonkeyPatch,
    warnings: pytest.LogCaptureFixture,
) -> None:
    warnings.set_level(logging.INFO, logger="prunetune")
    monkeypatch.setattr(store_module, "GATHER_S", 0.05)
    monkeypatch.setattr(store_module, "FIRST_PAUSE_S", 0.05)
    monkeypatch.setattr(store_module, "LONGEST_PAUSE_S", 0.1)
    folder = tmp_path / "unmounted"
    folder.touch()  # which MLflow would make itself if it could
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    store = MlflowStore(plan, uri, tmp_path, OWNER.storage)
    tell_everything(store, plan)
    wait_until(lambda: warnings.messages)
    folder.unlink()
    folder.mkdir()
    (folder / "mlflow.db").write_bytes(empty_database.read_bytes())
    wait_until(lambda: not store._backlog.left())
    store.finish(120)
    away, back = warnings.messages
    assert "cannot be used now" in away
    assert "answers again" in back
    _, record = spec_and_record(plan)
    assert by_key(MlflowClient(uri), plan.sweep)[record.key].info.status == "FINISHED"


def wait_until(happened: Any) -> None:
    for _ in range(600):
        if happened():
            return
        time.sleep(0.1)
    raise AssertionError("it never happened")


def test_a_server_that_refuses_costs_two_warnings_and_the_next_run_catches_up(
    plan: Plan, storage: Path, client: MlflowClient, warnings: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # and nobody listens
        uri = f"http://someone:secret@127.0.0.1:{unused.getsockname()[1]}"
        away = MlflowStore(plan, uri, storage, OWNER.storage)
        tell_everything(away, plan)
        away.finish(120)
    away_, left = warnings.messages
    assert "does not answer (Connection refused); the sweep goes on" in away_
    assert "has not heard of 1 trial; the next run of the sweep, or `prunetune ui" in left
    assert "secret" not in warnings.text
    _, record = spec_and_record(plan)
    back = MlflowStore(plan, None, storage, OWNER.storage)
    back.sync([record])
    back.finish(120)
    assert by_key(client, plan.sweep)[record.key].info.status == "FINISHED"


@pytest.fixture
def silent_server() -> Iterator[str]:
    """Takes connections and never answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(8)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def test_no_call_waits_for_a_server_that_does_not_answer(
    plan: Plan, tmp_path: Path, silent_server: str, warnings: pytest.LogCaptureFixture
) -> None:
    store = MlflowStore(plan, silent_server, tmp_path, OWNER.storage)
    tell_everything(store, plan)
    store.finish(0.2)  # a call that waited would hang here for a minute and more
    assert store._thread is not None
    assert store._thread.is_alive()
    assert "has not heard of 1 trial" in warnings.text


@dataclass(frozen=True)
class Slow(ReplacingUpdate):
    subject: str
    kind: str = "trial"

    def write(self, writer: Writer) -> None:
        time.sleep(0.3)


def test_a_slow_server_holds_the_end_up_within_bounds_and_what_is_left_is_said(
    plan: Plan,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    warnings: pytest.LogCaptureFixture,
) -> None:
    store = MlflowStore(plan, None, tmp_path, OWNER.storage)
    monkeypatch.setattr(store, "_open", lambda: Mock(**{"unlike.return_value": (set(), set())}))
    store._put(*(Slow(str(number)) for number in range(5)))
    begun = time.monotonic()
    store.finish(1.0)
    assert 1 <= time.monotonic() - begun < 1.3
    store.finish(30)
    assert not store._backlog.left()
    said = [message for message in warnings.messages if store.uri in message]
    assert len(said) == 1, "by the second call it has heard of everything"
    assert "has not heard of 2 trials" in said[0]


def test_what_mlflow_refuses_does_not_block_the_rest(
    plan: Plan, storage: Path, client: MlflowClient, warnings: pytest.LogCaptureFixture
) -> None:
    store = MlflowStore(plan, None, storage, OWNER.storage)
    store.study_results({"nobody@0.5": StudyResult(0.9, 0.8, 1.0, 3, 1)})
    tell_everything(store, plan)
    store.finish(120)
    (message,) = warnings.messages
    assert "nobody@0.5" in message
    _, record = spec_and_record(plan)
    assert by_key(client, plan.sweep)[record.key].info.status == "FINISHED"


def test_a_run_deleted_in_the_ui_is_written_anew(
    plan: Plan, storage: Path, client: MlflowClient
) -> None:
    spec, record = spec_and_record(plan)
    store = MlflowStore(plan, None, storage, OWNER.storage)
    store.on_dealt(spec)
    wait_until(lambda: client.get_experiment_by_name(plan.sweep) and not store._backlog.left())
    wait_until(lambda: spec.key in by_key(client, plan.sweep))
    client.delete_run(by_key(client, plan.sweep)[spec.key].info.run_id)
    store.on_record(record)
    store.finish(120)
    assert by_key(client, plan.sweep)[spec.key].info.status == "FINISHED"


def test_news_after_closing_is_written_too(plan: Plan, storage: Path, client: MlflowClient) -> None:
    store = MlflowStore(plan, None, storage, OWNER.storage)
    store.finish()  # nothing was said yet
    tell_everything(store, plan)
    store.finish(120)
    store.study_results({"thin@0.5": StudyResult(0.9, 0.8, 1.0, 3, 1)})
    store.finish(120)
    found = by_key(client, plan.sweep)
    assert found["thin@0.5"].data.metrics["confirm_n"] == 3
    assert {run.info.status for run in found.values()} == {"FINISHED"}


class CutError(Exception):
    """The process ends here."""


@pytest.mark.slow
@pytest.mark.parametrize("done", [True, False], ids=["after", "before"])
def test_a_process_killed_at_any_request_is_made_good_by_the_next(
    done: bool,
    storage: Path,
    client: MlflowClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Cut at the first, second, … request, before or after it took effect: the end is the same."""
    arms = {"thin": "width_scaling"}
    real = {name: getattr(MlflowClient, name) for name in (*WRITES, "set_terminated")}
    left = 10**6

    def cut(name: str) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0 and not done:
                raise CutError
            result = real[name](*args, **kwargs)
            if left == 0:
                raise CutError
            return result

        return call

    for name in real:
        monkeypatch.setattr(MlflowClient, name, cut(name))

    def live(plan: Plan) -> None:
        writer = make_writer(plan, storage)
        spec = make_spec(plan, plan.study("thin@0.5"), 0)
        epochs = [(epoch, 1000 * epoch.epoch) for epoch in make_epochs(spec)]
        writer.trial(spec, epochs[:2])
        writer.trial(spec, epochs)
        writer.record(make_record(spec))

    whole = None
    for requests in count(0):
        plan = make_plan(f"cut after {requests}" if requests else "whole", arms, (0.5,))
        left = requests or 10**6
        try:
            live(plan)
        except CutError:
            left = 10**6
            live_again(plan, storage)
        else:
            if requests:
                break
        found = dump(client, plan.sweep)
        for run in found.values():
            del run["tags"]["prunetune.sweep"]
            run["status"] = run["status"] if run["parent"] else "any"
        whole = whole or found
        assert found == whole
    assert requests > 10


def make_writer(plan: Plan, storage: Path) -> Writer:
    owner = replace(OWNER, sweep=plan.sweep)
    return Writer(plan, owner, f"sqlite:///{storage / 'mlflow.db'}", plan.sweep, None)


def live_again(plan: Plan, storage: Path) -> None:
    writer = make_writer(plan, storage)
    spec = make_spec(plan, plan.study("thin@0.5"), 0)
    writer.record(make_record(spec))
