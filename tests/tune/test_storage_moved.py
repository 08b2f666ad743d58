"""A sweep whose storage is moved away ends with an error, and its results are not split in two."""

from __future__ import annotations

import os
from pathlib import Path

from prunetune.records.files import StorageError
from prunetune.records.store import Store
from prunetune.tune.callbacks import Broadcast
from prunetune.tune.driver import Driver
from tests.tune.fakes import epoch, make_plan


def test_a_storage_that_is_moved_away_ends_the_sweep_and_continues_it_when_it_is_back(
    tmp_path: Path,
) -> None:
    store = Store(tmp_path / "runs", "fake")
    with store.lock():
        driver = Driver(make_plan(), store, Broadcast([]), slots=2)
        keys = [driver.deal().spec.key for _ in range(2)]
        store.mlflow_folder.rename(tmp_path / "elsewhere")
        with driver.guarded():
            driver.report(keys[0], {"curve": [epoch(1, 0.5)], "status": "completed"})
            driver.complete(keys[0])
        assert isinstance(driver.failure, StorageError)
        assert "it is gone" in str(driver.failure)
        assert driver.abandoned
    assert os.listdir(tmp_path) == ["elsewhere"]
    (tmp_path / "elsewhere").rename(tmp_path / "runs")
    with store.lock():
        again = Driver(make_plan(), store, Broadcast([]), slots=2)
        assert [again.deal().spec.key for _ in range(2)] == keys
