"""The id of a storage: written into it once, so that a copy or another storage can be told apart.

Other services, such as a tracking server, may serve several storages. What they hold belongs to a
storage by this id and not by its path, which names different places on different machines.
"""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from pathlib import Path

from prunetune.records.files import CorruptFileError, StorageError

ID_FILE = ".storage-id"
"""A sweep's folder cannot have this name, because names of sweeps do not begin with a dot."""
_ID_LENGTH = 32


def read_id(folder: Path) -> str | None:
    """The id of the storage in `folder`; None if it has none yet.

    Raises:
        CorruptFileError: the file does not hold an id.
        StorageError: the file cannot be read.
    """
    path = folder / ID_FILE
    try:
        text = path.read_bytes().strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror or error}") from error
    if len(text) != _ID_LENGTH or set(text) - set(b"0123456789abcdef"):
        raise CorruptFileError(
            f"{path} does not hold the id of a storage ({_ID_LENGTH} hexadecimal digits); "
            "delete the file, and the next sweep writes a new id"
        )
    return text.decode()


def made_id(folder: Path) -> str:
    """The id of the storage in `folder`; the first call makes the folder and writes a new id.

    Of several processes that call at once, one writes the id, and all get the same.

    Raises:
        CorruptFileError: the file does not hold an id.
        StorageError: the folder cannot be read or written.
    """
    known = read_id(folder)
    if known is not None:
        return known
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _create_once(folder / ID_FILE, uuid.uuid4().hex.encode() + b"\n")
    except OSError as error:
        raise StorageError(f"cannot write {folder / ID_FILE}: {error.strerror or error}") from error
    written = read_id(folder)
    if written is None:
        raise StorageError(f"cannot read {folder / ID_FILE}, which was just written")
    return written


def _create_once(path: Path, content: bytes) -> None:
    """Write a whole file, unless one of this name is there already."""
    scratch = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        with scratch.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(scratch, path)  # unlike a rename, it never replaces a file
    finally:
        with suppress(OSError):
            scratch.unlink()
