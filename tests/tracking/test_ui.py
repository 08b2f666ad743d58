from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path
from urllib.request import urlopen

import pytest
from mlflow import MlflowClient

from prunetune.plan import Plan
from prunetune.records.files import StoredFolder
from prunetune.tracking.environment import TrackingPathError, store_uri
from prunetune.tracking.mlflow_store import MlflowStore
from prunetune.tracking.ui import UiError, frontier_of, serve, server
from tests.tracking.sweeps import OWNER, make_record, make_spec


def test_a_sweep_that_was_never_tracked_is_named(storage: Path) -> None:
    with pytest.raises(UiError, match="no experiment 'other'"):
        serve(store_uri(None, storage), "other", port=0)


def test_a_port_that_is_taken_is_refused_at_once(plan: Plan, storage: Path) -> None:
    store = MlflowStore(plan, None, storage, OWNER.storage)
    store.on_record(make_record(make_spec(plan, None, 0, "dense")))
    store.finish(120)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(UiError, match=f"port {port} is taken"):
            serve(store_uri(None, storage), plan.sweep, port=port)


def test_the_default_store_lies_beside_the_results(tmp_path: Path) -> None:
    assert store_uri(None, tmp_path) == f"sqlite:///{tmp_path}/mlflow.db"
    assert store_uri("http://h:5000", tmp_path) == "http://h:5000"


NAMES = ["100%41b", "a?b#c&d e", "ü'\"q", "-x+y@z:1;w=2", "%2F%", "[a]"]


@pytest.mark.parametrize("name", NAMES)
def test_a_path_is_a_path_whatever_is_in_it(
    name: str, plan: Plan, tmp_path: Path, empty_database: Path
) -> None:
    storage, report = tmp_path / name, tmp_path / "page"
    storage.mkdir()
    report.mkdir()
    (report / "index.html").write_text("a page")
    shutil.copy(empty_database, storage / "mlflow.db")
    store = MlflowStore(plan, None, storage, OWNER.storage)
    store.on_record(make_record(make_spec(plan, None, 0, "dense")))
    store.report(StoredFolder(report))
    store.finish(120)
    assert frontier_of(store_uri(None, storage), plan.sweep)
    assert [path.read_text() for path in storage.rglob("index.html")] == ["a page"]
    assert {path.name for path in tmp_path.iterdir()} == {name, "page"}
    assert {path.name for path in storage.iterdir()} == {"mlflow.db", "mlartifacts"}


@pytest.mark.slow
def test_the_ui_serves_a_store_at_such_a_path(tmp_path: Path) -> None:
    storage = tmp_path / "100%41b?#"
    storage.mkdir()
    uri = store_uri(None, storage)
    MlflowClient(uri).create_experiment("mine")
    with server(uri) as (base, _):
        told = urlopen(f"{base}/api/2.0/mlflow/experiments/get-by-name?experiment_name=mine").read()
    assert json.loads(told)["experiment"]["name"] == "mine"
    assert list(tmp_path.iterdir()) == [storage]


def test_a_path_that_sqlite_cannot_open_is_refused_with_the_cure(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["d" * 100] * 5)
    with pytest.raises(TrackingPathError, match=r"a shorter --storage, or set tracking\.uri"):
        store_uri(None, deep)
    assert store_uri("http://h", deep) == "http://h"


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("sqlite:///{folder}/mlflow.db", "file is not a database; the file is damaged: move it"),
        ("http://me:secret@127.0.0.1:1", "Connection refused"),
        ("postgresql+psycopg2://me:secret@127.0.0.1:1/mlflow", "Connection refused"),
        ("postgresql+nothing://db/mlflow", "nothing"),
    ],
)
def test_a_store_that_cannot_be_read_is_named_in_words(uri: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"nonsense " * 1000)
    with pytest.raises(UiError, match="cannot be read") as refused:
        frontier_of(uri.format(folder=tmp_path), "mine")
    assert said in str(refused.value)
    assert "secret" not in str(refused.value)
    assert "\n" not in str(refused.value)
