"""A storage is a folder whatever its name holds, unless the name is a URI."""

from __future__ import annotations

from pathlib import Path

import pytest

from prunetune.records.places import storage_place
from prunetune.records.store import Store, sweep_names
from prunetune.records.uri import StorageAddressError

NAMES = [
    "100%41b",
    "a?b#c&d e",
    "ü'\"q",
    "-dash",
    "x://y",
    "~nobody-has-this-name",
    "[a-z]*",
    "a\nb",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_path_is_a_path(name: str, tmp_path: Path) -> None:
    storage = f"{tmp_path}/{name}"
    store = Store(storage, "mine")
    store.plan_file.write(b"{}")
    assert sweep_names(storage) == ["mine"]
    assert (Path(storage) / "mine" / "plan.json").exists()
    found = Store.of_folder(Path(storage) / "mine")
    assert found is not None
    assert (found.storage, found.sweep) == (store.storage, "mine")


def test_relative_paths_and_the_home_folder(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert storage_place("runs") == tmp_path / "runs"
    assert storage_place("~/runs") == tmp_path / "home" / "runs"
    assert storage_place("~nobody-has-this-name") == tmp_path / "~nobody-has-this-name"


@pytest.mark.parametrize(("uri", "said"), [("hdfs://b/c", "a folder"), ("a\udcff", "not UTF-8")])
def test_other_addresses_are_refused(uri: str, said: str) -> None:
    with pytest.raises(StorageAddressError, match=said):
        storage_place(uri)
