"""Tries whether an object store keeps the promise that locks stand on."""

from __future__ import annotations

import uuid

from prunetune.records import objects
from prunetune.records.files import StorageError
from prunetune.records.object_path import ObjectPath


def probe_conditions(storage: ObjectPath) -> None:
    """Create an object twice, and replace a version of it twice: each may succeed once only.

    Raises:
        StorageError: the store writes an object whose condition does not hold, or is away.
    """
    uri, key = storage.uri, (storage / f".probe-{uuid.uuid4().hex}").key
    first = objects.swap(uri, key, b"1", None)
    try:
        created_again = objects.swap(uri, key, b"2", None)
        replaced = objects.swap(uri, key, b"3", first)
        replaced_again = objects.swap(uri, key, b"4", first)
    finally:
        objects.delete(uri, key)
    if first is None or replaced is None or created_again or replaced_again:
        raise StorageError(
            f"storage {storage}: the store ignores the conditions of a write (If-None-Match, "
            "If-Match), so two sweeps could not tell that they write into each other's files; "
            "take another store, or a folder"
        )
