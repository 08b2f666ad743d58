"""Finds a sweep by what a user calls it: its name, its folder or its file."""

from __future__ import annotations

from pathlib import Path

from prunetune.config.file.yaml import read
from prunetune.records.store import Store


def find_store(sweep: str, storage: str | Path) -> Store:
    """The store of a sweep, given by its name under the storage, its folder or its sweep file."""
    path = Path(sweep)
    if (store := Store.of_folder(sweep)) is not None:
        return store
    if path.suffix in (".yaml", ".yml") and path.is_file():
        return Store(storage, str(read(path)[0].get("name", path.stem)))
    return Store(storage, sweep)
