"""Files of the storage: each is written whole, so that no reader ever sees half of one."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel


class StorageError(OSError):
    """The storage cannot be read, written or locked."""


class CorruptFileError(ValueError):
    """The content of a stored file is not what the file's name promises."""

    exit_code = 3


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees all of it or none, even after a power cut.

    Raises:
        StorageError: the file cannot be written; a former file is left as it was.
    """
    scratch = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with scratch.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    except OSError as error:
        with suppress(OSError):
            scratch.unlink()
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from error


def to_json(value: BaseModel | Mapping[str, Any]) -> bytes:
    """Readable JSON, with the fields in the order of the model."""
    plain = value.model_dump(mode="json", by_alias=True) if isinstance(value, BaseModel) else value
    return (json.dumps(plain, indent=1, allow_nan=False) + "\n").encode()


@dataclass(frozen=True)
class StoredFile:
    """One file of the storage. A reader sees its former content or its new content, whole."""

    path: Path
    """Where the file lies on this machine, for libraries that read a path, and for messages."""

    def exists(self) -> bool:
        """Whether the file has been written."""
        return self.path.exists()

    def read(self) -> bytes:
        """The content of the file."""
        return self.path.read_bytes()

    def write(self, content: bytes) -> None:
        """Replace the file.

        Raises:
            StorageError: the file cannot be written.
        """
        write_whole(self.path, content)

    def write_json(self, value: BaseModel | Mapping[str, Any]) -> None:
        """Replace the file by `value` as readable JSON.

        Raises:
            StorageError: the file cannot be written.
        """
        self.write(to_json(value))

    def set_aside(self) -> StoredFile:
        """Rename a damaged file to NAME.damaged-<n>, so that it can be made anew; the renamed file.

        Raises:
            StorageError: the file cannot be written.
        """
        number = 1
        while (aside := self._beside(f"{self.path.name}.damaged-{number}")).exists():
            number += 1
        aside.write(self.read())
        self.delete()
        return aside

    def _beside(self, name: str) -> StoredFile:
        return StoredFile(self.path.with_name(name))

    def delete(self) -> None:
        """Remove the file if it exists."""
        self.path.unlink(missing_ok=True)


@dataclass(frozen=True)
class StoredFolder:
    """A folder of the storage; it comes into being with its first file."""

    path: Path
    """Where the folder lies on this machine."""

    def file(self, name: str) -> StoredFile:
        """The file called `name` in this folder; `name` may go through subfolders."""
        return StoredFile(self.path / name)
