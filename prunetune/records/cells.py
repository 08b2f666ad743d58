"""A cell holds a few bytes that many processes change, on any machine, and none undoes another.

A process writes a cell only if it still is as the process knows it; of several that try, one wins.
An object store has that built in. In a folder, each version is a file of its own, named by a
number: to write is to make the next number, which the file system grants to one process alone.
"""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from prunetune.records import objects
from prunetune.records.files import StorageError
from prunetune.records.object_path import ObjectPath
from prunetune.records.place import Place

CellVersion = int | objects.Version
"""Which content of a cell it is."""
_KEPT = 2
"""Versions that stay, so that a process that lists the folder always finds the last one."""


class CellContent(NamedTuple):
    """What a cell holds, and as which version."""

    content: bytes
    version: CellVersion


class AtomicCell(Protocol):
    """A cell of a storage."""

    def read(self) -> CellContent | None:
        """What the cell holds; None if it was never written."""

    def swap(self, content: bytes, known: CellVersion | None) -> CellVersion | None:
        """Write the cell if it still is version `known`; None: another process was there first."""


def cell_at(place: Place) -> AtomicCell:
    """The cell of this name."""
    if isinstance(place, ObjectPath):
        return ObjectCell(place)
    assert isinstance(place, Path)
    return FolderCell(place)


@dataclass(frozen=True)
class ObjectCell:
    """A cell in an object store."""

    place: ObjectPath

    def read(self) -> CellContent | None:
        """See AtomicCell."""
        found = objects.cell(self.place.uri, self.place.key)
        return CellContent(*found) if found else None

    def swap(self, content: bytes, known: CellVersion | None) -> CellVersion | None:
        """See AtomicCell."""
        assert not isinstance(known, int)
        return objects.swap(self.place.uri, self.place.key, content, known)


@dataclass(frozen=True)
class FolderCell:
    """A cell in a folder, which the first write makes; its parent must be there."""

    folder: Path

    def read(self) -> CellContent | None:
        """See AtomicCell."""
        while versions := self._versions():
            with suppress(FileNotFoundError):  # two versions came meanwhile
                return CellContent((self.folder / str(versions[-1])).read_bytes(), versions[-1])
        return None

    def swap(self, content: bytes, known: CellVersion | None) -> CellVersion | None:
        """See AtomicCell."""
        assert known is None or isinstance(known, int)
        version = (known or 0) + 1
        try:
            if known is None:
                self.folder.mkdir(exist_ok=True)
            if not create_once(self.folder / str(version), content):
                return None
        except OSError as error:
            reason = error.strerror or error
            raise StorageError(f"cannot write {self.folder}: {reason}") from error
        versions = self._versions()
        if versions[-1] != version:  # ours had long been overtaken and cleared away
            with suppress(OSError):
                (self.folder / str(version)).unlink()
            return None
        for old in versions[:-_KEPT]:
            with suppress(OSError):
                (self.folder / str(old)).unlink()
        return version

    def _versions(self) -> list[int]:
        try:
            return sorted(int(name) for name in os.listdir(self.folder) if name.isdigit())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StorageError(f"cannot read {self.folder}: {error.strerror or error}") from error


def create_once(path: Path, content: bytes) -> bool:
    """Write a whole file; False, and nothing is written, if one of this name is there already.

    Raises:
        OSError: the file cannot be written.
    """
    scratch = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        with scratch.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(scratch, path)  # unlike a rename, it never replaces a file
    except FileExistsError:
        return False
    except PermissionError:  # a file system without hard links
        return _created_in_place(path, content)
    finally:
        with suppress(OSError):
            scratch.unlink()
    return True


def _created_in_place(path: Path, content: bytes) -> bool:
    """`create_once` where a reader may, for an instant, see the file empty."""
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError:
        return False
    return True
