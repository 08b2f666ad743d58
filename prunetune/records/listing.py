"""What lies in a folder of the storage, whether on this machine or in an object store."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

from prunetune.records import objects
from prunetune.records.files import StorageError
from prunetune.records.object_path import ObjectPath
from prunetune.records.place import Place

_READERS = 16
"""Requests to an object store at once; each waits for the network most of its time."""
ItemT = TypeVar("ItemT")
ReadT = TypeVar("ReadT")


class FileEntry(NamedTuple):
    """A file of a folder; while time and size stay, so does the content."""

    name: str
    changed_ns: int
    size: int


def files_in(folder: Place) -> list[FileEntry]:
    """The files directly in a folder, by name; none if there is no such folder.

    Raises:
        StorageError: the folder cannot be read.
    """
    if isinstance(folder, ObjectPath):
        return [FileEntry(*found) for found in objects.listed(folder.uri, folder.key)[1]]
    return sorted(
        FileEntry(entry.name, stat.st_mtime_ns, stat.st_size)
        for entry in _scanned(folder)
        if not entry.is_dir()
        for stat in [entry.stat()]
    )


def folders_in(folder: Place) -> list[str]:
    """The names of the folders directly in a folder; none if there is no such folder.

    Raises:
        StorageError: the folder cannot be read.
    """
    if isinstance(folder, ObjectPath):
        return objects.listed(folder.uri, folder.key)[0]
    return sorted(entry.name for entry in _scanned(folder) if entry.is_dir())


def each_read(
    folder: Place, items: Iterable[ItemT], read: Callable[[ItemT], ReadT]
) -> Iterator[ReadT]:
    """`read` of every item, in order; of an object store several at once."""
    if not isinstance(folder, ObjectPath):
        yield from map(read, items)
        return
    with ThreadPoolExecutor(_READERS) as pool:
        yield from pool.map(read, items)


def copied(folder: Place, to: Path) -> None:
    """Copy a folder with all that lies in it into a folder of this machine, which is there.

    Raises:
        StorageError: a file cannot be read.
    """
    for file in files_in(folder):
        (to / file.name).write_bytes((folder / file.name).read_bytes())
    for name in folders_in(folder):
        (to / name).mkdir()
        copied(folder / name, to / name)


def _scanned(folder: Place) -> list[os.DirEntry[str]]:
    assert isinstance(folder, Path)
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise StorageError(f"cannot reach {folder}: {error.strerror or error}") from error
