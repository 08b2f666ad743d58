"""The id of a storage: written into it once, so that a copy or another storage can be told apart.

Other services, such as a tracking server, may serve several storages. What they hold belongs to a
storage by this id and not by its path, which names different places on different machines.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path

from prunetune.records.cells import create_once
from prunetune.records.files import CorruptFileError, StorageError, StoredFile
from prunetune.records.object_path import ObjectPath
from prunetune.records.objects import swap
from prunetune.records.place import Place

ID_FILE = ".storage-id"
"""A sweep's folder cannot have this name, because names of sweeps do not begin with a dot."""
_ID_LENGTH = 32


@dataclass(frozen=True)
class StorageAnchor:
    """Knows a storage by its id; see `files.Anchor`."""

    storage: Place
    identifier: str

    def check(self) -> None:
        """Raise StorageError if this storage is not there any more.

        Raises:
            StorageError: nothing or another storage is there.
        """
        try:
            there = read_id(self.storage)
        except (CorruptFileError, StorageError):
            there = None
        if there != self.identifier:
            what = "it is gone" if there is None else "another storage is there now"
            raise StorageError(
                f"storage {self.storage}: {what}; was it moved or unmounted, or is it a folder "
                "that not every machine of the cluster sees? Nothing is written"
            )


def read_id(storage: Place) -> str | None:
    """The id of a storage; None if it has none yet.

    Raises:
        CorruptFileError: the file does not hold an id.
        StorageError: the file cannot be read.
    """
    file = StoredFile(storage / ID_FILE)
    try:
        text = file.read().strip()
    except FileNotFoundError:
        return None
    if len(text) != _ID_LENGTH or set(text) - set(b"0123456789abcdef"):
        raise CorruptFileError(
            f"{file} does not hold the id of a storage ({_ID_LENGTH} hexadecimal digits); "
            "delete the file, and the next sweep writes a new id"
        )
    return text.decode()


def made_id(storage: Place) -> str:
    """The id of a storage; the first call makes its folder and writes a new id.

    Of several processes that call at once, one writes the id, and all get the same.

    Raises:
        CorruptFileError: the file does not hold an id.
        StorageError: the storage cannot be read or written.
    """
    known = read_id(storage)
    if known is not None:
        return known
    content = uuid.uuid4().hex.encode() + b"\n"
    if isinstance(storage, ObjectPath):
        swap(storage.uri, (storage / ID_FILE).key, content, None)
    elif isinstance(storage, Path):
        try:
            storage.mkdir(parents=True, exist_ok=True)
            create_once(storage / ID_FILE, content)
        except OSError as error:
            reason = error.strerror or error
            raise StorageError(f"cannot write {storage / ID_FILE}: {reason}") from error
    written = read_id(storage)
    if written is None:
        raise StorageError(f"cannot read {storage / ID_FILE}, which was just written")
    return written
