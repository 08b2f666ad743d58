from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from prunetune.plan import Plan
from prunetune.tracking.environment import configure_environment

configure_environment()

from mlflow import MlflowClient  # noqa: E402

from prunetune.tracking.mlflow_store import MlflowStore  # noqa: E402
from tests.tracking.sweeps import OWNER, make_plan  # noqa: E402


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite store with its tables: made once, since that takes seconds."""
    path = tmp_path_factory.mktemp("schema") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def storage(tmp_path: Path, empty_database: Path) -> Path:
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    return tmp_path


@pytest.fixture
def plan() -> Plan:
    return make_plan()


@pytest.fixture
def client(storage: Path) -> MlflowClient:
    return MlflowClient(f"sqlite:///{storage / 'mlflow.db'}")


@pytest.fixture
def tell(storage: Path, plan: Plan) -> Callable[[Callable[[MlflowStore], Any]], None]:
    """Runs something with a store of its own and closes that: one process's life."""

    def run(story: Callable[[MlflowStore], Any], plan: Plan = plan) -> None:
        store = MlflowStore(plan, None, storage, OWNER.storage)
        story(store)
        store.finish(120)

    return run
