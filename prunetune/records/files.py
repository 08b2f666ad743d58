"""Files of the storage: each is written whole, so that no reader ever sees half of one."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import BaseModel

from prunetune.records.place import Anchor, Place


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
    """One file of the storage. A reader sees its former content or its new content, whole.

    Args:
        place: where the file lies.
        anchor: is asked where a file or a folder is missing: is it only that one, or the storage?
    """

    place: Place
    anchor: Anchor | None = None

    def __str__(self) -> str:
        return str(self.place)

    @property
    def name(self) -> str:
        """The file's name in its folder."""
        return self.place.name

    @property
    def path(self) -> Path:
        """The file on this machine.

        Raises:
            StorageError: it lies in an object store.
        """
        return local_path(self.place)

    def exists(self) -> bool:
        """Whether the file has been written.

        Raises:
            StorageError: the storage is away.
        """
        with _away_is_told(self):
            found = self.place.exists()
        if not found:
            self._check()
        return found

    def read(self) -> bytes:
        """The content of the file.

        Raises:
            FileNotFoundError: there is no such file.
            StorageError: the file cannot be read, or the storage is away.
        """
        try:
            with _away_is_told(self):
                return self.place.read_bytes()
        except FileNotFoundError:
            self._check()
            raise

    def write(self, content: bytes) -> None:
        """Replace the file; its folder is made if it is missing.

        Raises:
            StorageError: the file cannot be written, or the storage is away.
        """
        if not isinstance(self.place, Path):
            self.place.write_bytes(content)
            return
        if not self.place.parent.is_dir():
            self._check()  # else a storage that was moved away would be made anew, empty
        write_whole(self.place, content)

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
        while StoredFile(self.place.parent / f"{self.name}.damaged-{number}").exists():
            number += 1
        return self.rename(f"{self.name}.damaged-{number}")

    def delete(self) -> None:
        """Remove the file if it exists."""
        with _away_is_told(self):
            self.place.unlink(missing_ok=True)

    def rename(self, name: str) -> StoredFile:
        """Give the file another name in its folder; a file of that name is replaced.

        Raises:
            StorageError: the file cannot be renamed, or the storage is away.
        """
        renamed = StoredFile(self.place.parent / name, self.anchor)
        with _away_is_told(self):
            if isinstance(self.place, Path):
                self.place.rename(self.place.with_name(name))
            else:  # an object store has no rename: never without the content in one place
                renamed.write(self.read())
                self.delete()
        return renamed

    @contextmanager
    def local(self) -> Iterator[Path]:
        """The file as one of this machine, for libraries that read a path; a copy if need be.

        Raises:
            FileNotFoundError: there is no such file.
            StorageError: the file cannot be read, or the storage is away.
        """
        if isinstance(self.place, Path):
            yield self.place
            return
        with TemporaryDirectory(prefix="prunetune-") as scratch:
            copy = Path(scratch) / self.place.name
            copy.write_bytes(self.read())
            yield copy

    def _check(self) -> None:
        if self.anchor is not None:
            self.anchor.check()


@dataclass(frozen=True)
class StoredFolder:
    """A folder of the storage; it comes into being with its first file."""

    place: Place
    anchor: Anchor | None = None

    def __str__(self) -> str:
        return str(self.place)

    @property
    def path(self) -> Path:
        """The folder on this machine.

        Raises:
            StorageError: it lies in an object store.
        """
        return local_path(self.place)

    def file(self, name: str) -> StoredFile:
        """The file called `name` in this folder; `name` may go through subfolders."""
        return StoredFile(self.place / name, self.anchor)

    @contextmanager
    def local(self) -> Iterator[Path]:
        """The folder on this machine, with all that lies in it; a copy if need be.

        Raises:
            StorageError: the folder cannot be read.
        """
        from prunetune.records.listing import copied

        if isinstance(self.place, Path):
            yield self.place
            return
        with TemporaryDirectory(prefix="prunetune-") as scratch:
            copied(self.place, Path(scratch))
            yield Path(scratch)


def local_path(place: Place) -> Path:
    """The place as a path of this machine.

    Raises:
        StorageError: it lies in an object store.
    """
    if isinstance(place, Path):
        return place
    raise StorageError(f"{place} is not on this machine, and is needed as a local file")


@contextmanager
def _away_is_told(file: StoredFile) -> Iterator[None]:
    """Raise StorageError for what the file system cannot do, but for a file that is missing."""
    try:
        yield
    except (StorageError, FileNotFoundError):
        raise
    except OSError as error:
        raise StorageError(f"cannot reach {file}: {error.strerror or error}") from error
