"""A storage in Google's object store: its conditions are other headers than Amazon's."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from prunetune.records.cells import cell_at
from prunetune.records.files import StorageError
from prunetune.records.places import storage_place
from prunetune.records.store import Store
from tests.records.google_server import google_server
from tests.records.test_store import record

KEY = {"disable_oauth": True, "client_email": "", "private_key": "", "private_key_id": ""}


def test_one_owner_and_all_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT_KEY", json.dumps(KEY))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with google_server() as port:
        address = f"gs://bucket/runs?endpoint_override=127.0.0.1:{port}&scheme=http"
        store = Store(address, "s")
        with store.lock():
            second = Store(address, "s")
            with pytest.raises(StorageError, match=f"process {os.getpid()} on"), second.lock():
                pass
            store.plan_file.write(b"{}")
            for key in "abc":
                store.write_record(record(key))
        assert Store(address, "s").records() == {key: record(key) for key in "abc"}
        assert Store(address, "s").outcomes().keys() == {*"abc"}
        store.set_aside("b")
        assert store.records().keys() == {"a", "c"}
        cell = cell_at(storage_place(address) / "raced")
        with ThreadPoolExecutor(8) as pool:
            won = list(pool.map(lambda i: cell.swap(b"%d" % i, None), range(8)))
        assert sum(version is not None for version in won) == 1
        first = next(version for version in won if version is not None)
        assert cell.swap(b"again", first) is not None
        assert cell.swap(b"late", first) is None
