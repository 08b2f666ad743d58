"""From what a user writes as storage, sweep or key to a place: no name leads out of its folder."""

from __future__ import annotations

import os
import re
from pathlib import Path

from prunetune.records.files import CorruptFileError
from prunetune.records.key import digest
from prunetune.records.object_path import ObjectPath
from prunetune.records.place import Place
from prunetune.records.uri import StorageAddressError, StorageUri, is_uri, parse_uri
from prunetune.records.user_path import user_path

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


def storage_place(storage: str | os.PathLike[str] | Place) -> Place:
    """The folder of a storage: an absolute path (see `user_path`), or one of a store.

    Raises:
        StorageAddressError: an address of another form than ours, or a path whose bytes are no
            text.
        UserPathError: the path names a variable that is not set.
    """
    if isinstance(storage, ObjectPath):
        return storage
    written = str(storage)
    if isinstance(storage, str) and is_uri(written):
        return ObjectPath(parse_uri(written))
    path = user_path(written)
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise StorageAddressError(
            f"storage {written!r}: the path is not UTF-8, so records and MLflow cannot name it; "
            "rename the folder"
        ) from None
    return path


def is_sweep_name(name: str) -> bool:
    """Whether the name is one of a folder directly in the storage, and not of a file of ours."""
    return bool(name) and not set(name) & set("/\\\0") and not name.startswith(".")


def sweep_folder(storage: Place, sweep: str) -> Place:
    """The folder of a sweep.

    Raises:
        StorageAddressError: the name would lead out of the storage.
    """
    if not is_sweep_name(sweep):
        raise StorageAddressError(f"{sweep!r} is no name of a sweep under {storage}")
    return storage / sweep


def key_folder(parent: Place, key: str) -> Place:
    """The folder of a trial or of a network.

    Raises:
        CorruptFileError: a file of the storage has a key that would lead out of the folder.
    """
    if not _KEY.fullmatch(key):
        raise CorruptFileError(f"{key!r} is no key of a trial under {parent}")
    return parent / key


def folder_here(storage: Place) -> Path:
    """A folder of this machine for what cannot lie in an object store: logs, MLflow's database."""
    if isinstance(storage, Path):
        return storage
    assert isinstance(storage, ObjectPath)
    uri: StorageUri = storage.uri
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return Path(state) / "prunetune" / digest([str(uri), uri.endpoint])
