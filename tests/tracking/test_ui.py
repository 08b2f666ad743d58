from __future__ import annotations

import socket
from pathlib import Path

import pytest

from prunetune.plan import Plan
from prunetune.tracking.environment import store_uri, without_password
from prunetune.tracking.mlflow_store import MlflowStore
from prunetune.tracking.ui import UiError, serve
from tests.tracking.sweeps import make_record, make_spec


def test_a_sweep_that_was_never_tracked_is_named(storage: Path) -> None:
    with pytest.raises(UiError, match="no experiment 'other'"):
        serve(store_uri(None, storage), "other", port=0)


def test_a_port_that_is_taken_is_refused_at_once(plan: Plan, storage: Path) -> None:
    store = MlflowStore(plan, None, storage)
    store.on_record(make_record(make_spec(plan, None, 0, "dense")))
    store.close(120)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(UiError, match=f"port {port} is taken"):
            serve(store_uri(None, storage), plan.sweep, port=port)


def test_the_default_store_lies_beside_the_results(tmp_path: Path) -> None:
    assert store_uri(None, tmp_path) == f"sqlite:///{tmp_path}/mlflow.db"
    assert store_uri("http://h:5000", tmp_path) == "http://h:5000"


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("postgresql://me:p@ss@db/mlflow", "postgresql://db/mlflow"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("sqlite:////data/a@b/mlflow.db", "sqlite:////data/a@b/mlflow.db"),
    ],
)
def test_passwords_are_not_shown(uri: str, shown: str) -> None:
    assert without_password(uri) == shown
