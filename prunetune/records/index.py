"""An index of a sweep's records: their small fields in one file, so that status need not read all.

The index is derived: it may be deleted at any time, and whoever reads records next appends what is
missing. An entry counts only while its record's file has the size and the time of change that the
entry names. Records never change, so an entry seldom grows old.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from prunetune.records.record import Record

_LEFT_OUT = {
    "config", "architecture", "departures", "curve", "wall_s", "peak_memory_bytes", "device",
    "dtype", "threads", "seeds", "versions",
}  # fmt: skip
_MOST_STALE = 2
"""The index is written anew once it has so many lines per record."""


class _Entry(NamedTuple):
    name: str
    changed_ns: int
    size: int
    record: Record


_ENTRIES = TypeAdapter(list[_Entry])


def indexed_records(folder: Path, index: Path, read: Callable[[Path], Record]) -> dict[str, Record]:
    """The records of a folder by key, without configuration, architecture, curve and surroundings.

    Args:
        folder: where the records lie.
        index: the index file; it is brought up to date if it can be written.
        read: reads and checks one record.
    """
    lines = _lines(index)
    known = {entry.name: entry for entry in _parsed(lines)}
    entries, new = [], []
    for name, changed_ns, size in _files(folder):
        entry = known.get(name)
        if entry is None or (entry.changed_ns, entry.size) != (changed_ns, size):
            record = read(folder / name)
            entry = _Entry(name, changed_ns, size, record.model_copy(update=_empty()))
            new.append(entry)
        entries.append(entry)
    if new:
        grown = len(lines) + len(new) > _MOST_STALE * len(entries)
        with suppress(OSError):  # a storage that cannot be written can still be read
            if grown or not known:
                _write(index, entries)
            else:
                _append(index, new)
    return {entry.record.key: entry.record for entry in entries}


def index_record(index: Path, file: Path, record: Record) -> None:
    """Add a record that was just written to its file, so that the next reader finds it."""
    with suppress(OSError):
        stat = file.stat()
        _append(index, [_Entry(file.name, stat.st_mtime_ns, stat.st_size, record)])


def _files(folder: Path) -> list[tuple[str, int, int]]:
    """(name, time of change, size) of every record's file, sorted by name."""
    if not folder.is_dir():
        return []
    with os.scandir(folder) as found:
        stats = [
            (file.name, file.stat().st_mtime_ns, file.stat().st_size)
            for file in found
            if file.name.endswith(".json") and ".failed-" not in file.name
        ]
    return sorted(stats)


def _lines(index: Path) -> list[bytes]:
    with suppress(OSError):
        return index.read_bytes().splitlines()
    return []


def _parsed(lines: list[bytes]) -> list[_Entry]:
    """The entries of the index; none if a line is damaged, for then all are read again."""
    try:
        return _ENTRIES.validate_json(b"[" + b",".join(lines) + b"]")
    except ValidationError:
        return []


def _empty() -> dict[str, Any]:
    fields = Record.model_fields
    return {name: fields[name].get_default(call_default_factory=True) for name in _LEFT_OUT}


def _write(index: Path, entries: Iterable[_Entry]) -> None:
    scratch = index.with_name(f".{index.name}.{os.getpid()}.tmp")
    scratch.write_bytes(_text(entries))
    scratch.replace(index)


def _append(index: Path, entries: Iterable[_Entry]) -> None:
    with index.open("ab") as file:  # one write, so that two readers cannot mix their lines
        file.write(_text(entries))


def _text(entries: Iterable[_Entry]) -> bytes:
    """One line per entry."""
    excluded = {"__all__": {3: _LEFT_OUT}}
    texts = (_ENTRIES.dump_json([entry], exclude=excluded, by_alias=True) for entry in entries)
    return b"".join(text[1:-1] + b"\n" for text in texts)
