"""A storage has one id, whoever asks first."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from prunetune.records.files import CorruptFileError, StorageError
from prunetune.records.store import Store, sweep_names


def test_all_sweeps_of_a_storage_share_an_id_and_no_other_storage_has_it(tmp_path: Path) -> None:
    first = Store(tmp_path / "a", "s").storage_id()
    assert Store(tmp_path / "a", "t").storage_id() == first
    assert Store(tmp_path / "b", "s").storage_id() != first
    (tmp_path / "a").rename(tmp_path / "moved")
    assert Store(tmp_path / "moved", "s").storage_id() == first
    assert sweep_names(tmp_path / "moved") == []


def test_of_many_who_ask_at_once_all_get_the_same_id(tmp_path: Path) -> None:
    for turn in range(20):
        store = Store(tmp_path / str(turn), "s")
        with ThreadPoolExecutor(8) as pool:
            ids = set(pool.map(lambda _, store=store: store.storage_id(), range(8)))
        assert len(ids) == 1
        assert os.listdir(store.storage) == [".storage-id"]


@pytest.mark.parametrize("content", [b"", b"0" * 31, b"Z" * 32])
def test_a_damaged_id_is_named_and_not_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".storage-id").write_bytes(content)
    with pytest.raises(CorruptFileError, match=r"\.storage-id"):
        Store(tmp_path, "s").storage_id()
    assert (tmp_path / ".storage-id").read_bytes() == content


def test_a_storage_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="file"):
        Store(tmp_path / "file", "s").storage_id()
