"""A storage that disappears while a sweep runs is an error everywhere, and is never made anew."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from prunetune.records.cost_meter import CostMeter
from prunetune.records.files import StorageError
from prunetune.records.store import Store
from tests.records.test_store import record


def spend(store: Store) -> None:
    CostMeter(store.trial_folder("k").spent, 0).spend(1)


def make_network(store: Store) -> None:
    with store.dense_folder("k").lock():
        pass


USES: dict[str, Callable[[Store], object]] = {
    "a record": lambda store: store.write_record(record("b")),
    "all records": lambda store: store.records(),
    "a checkpoint": lambda store: store.trial_folder("k").checkpoint.write(b"x"),
    "reading a checkpoint": lambda store: store.trial_folder("k").checkpoint.read(),
    "asking for weights": lambda store: store.dense_folder("k").weights.exists(),
    "making a network": make_network,
    "spending": spend,
    "the report": lambda store: store.report_folder.file("index.html").write(b"x"),
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A worker's copy of a store whose sweep runs, and has written something."""
    running = Store(tmp_path / "runs", "s")
    with running.lock():
        running.write_record(record("a"))
        running.trial_folder("k").checkpoint.write(b"x")
        copy: Store = pickle.loads(pickle.dumps(running))
        for use in USES.values():
            use(copy)
    return copy


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_it_is_gone(store: Store, use: Callable[[Store], object]) -> None:
    place = store.mlflow_folder
    place.rename(place.with_name("elsewhere"))
    with pytest.raises(StorageError, match="it is gone"):
        use(store)
    assert not place.exists()
    place.mkdir()  # where a disk was mounted
    with pytest.raises(StorageError, match="it is gone"):
        use(store)
    assert os.listdir(place) == []
    Store(place, "s").storage_id()
    with pytest.raises(StorageError, match="another storage is there now"):
        use(store)
    assert os.listdir(place) == [".storage-id"]


def test_it_comes_back(store: Store) -> None:
    place = store.mlflow_folder
    place.rename(place.with_name("elsewhere"))
    with pytest.raises(StorageError, match="it is gone"):
        store.write_record(record("c"))
    place.with_name("elsewhere").rename(place)
    assert store.write_record(record("c"))
    assert {"a", "c"} <= store.records().keys()


def test_the_owner_learns_it_too(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs", "s")
    with store.lock():
        (tmp_path / "runs").rename(tmp_path / "elsewhere")
        with pytest.raises(StorageError, match="it is gone"):
            store.write_record(record("a"))
    assert os.listdir(tmp_path) == ["elsewhere"]


def test_what_never_was_is_only_missing(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs", "s")
    assert (store.exists(), store.plan_file.exists(), store.records()) == (False, False, {})
    assert list(tmp_path.iterdir()) == []
