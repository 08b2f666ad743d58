"""An index of a sweep's records: trial outcomes in one file, so that status need not read them all.

The index is derived: it may be deleted at any time, and whoever reads records next appends what is
missing. An entry counts only while its record's file has the size and the time of change that the
entry names. Records never change, so an entry seldom grows old.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from prunetune.records.listing import FileEntry, each_read, files_in
from prunetune.records.place import Place
from prunetune.records.record import Record
from prunetune.records.trial_outcome import TrialOutcome

_MOST_STALE = 2
"""The index is written anew once it has so many lines per record."""


class _Entry(NamedTuple):
    name: str
    changed_ns: int
    size: int
    outcome: TrialOutcome


_ENTRIES = TypeAdapter(list[_Entry])


def indexed_outcomes(
    folder: Place, index: Place, read: Callable[[str], Record | None]
) -> dict[str, TrialOutcome]:
    """The outcomes of the trials whose records lie in a folder, by key, without their curves.

    Args:
        folder: where the records lie.
        index: the index file; it is brought up to date if it can be written.
        read: reads and checks the record in the file of this name; None: it is to be left out.
    """
    lines = _lines(index)
    known = {entry.name: entry for entry in _parsed(lines)}
    if not known:
        lines = []  # a damaged line, or one of an older version, would stay
    files = record_files(folder)
    unknown = [f for f in files if f.name not in known or known[f.name][:3] != f]
    new = []
    for file, record in zip(
        unknown, each_read(folder, [f.name for f in unknown], read), strict=True
    ):
        known.pop(file.name, None)
        if record is not None:
            new.append(_Entry(*file, _short(record)))
    known.update((entry.name, entry) for entry in new)
    entries = [known[file.name] for file in files if file.name in known]
    if new:
        grown = len(lines) + len(new) > _MOST_STALE * len(entries)
        with suppress(OSError):  # a storage that cannot be written can still be read
            if isinstance(index, Path) and lines and not grown:
                _append(index, new)
            else:
                _write(index, entries)
    return {entry.outcome.key: entry.outcome for entry in entries}


def index_record(index: Place, file: Place, record: Record) -> None:
    """Add a record that was just written to its file, so that the next reader finds it.

    The objects of a store cannot grow: there the next reader adds what is missing.
    """
    if isinstance(index, Path) and isinstance(file, Path):
        with suppress(OSError):
            stat = file.stat()
            _append(index, [_Entry(file.name, stat.st_mtime_ns, stat.st_size, _short(record))])


def _short(record: Record) -> TrialOutcome:
    return replace(TrialOutcome.of(record), accuracies=())


def record_files(folder: Place) -> list[FileEntry]:
    """The file of every record, sorted by name; those set aside are left out."""
    return [
        file
        for file in files_in(folder)
        if file.name.endswith(".json") and ".failed-" not in file.name and file.name[0] != "."
    ]


def _lines(index: Place) -> list[bytes]:
    with suppress(OSError):
        return index.read_bytes().splitlines()
    return []


def _parsed(lines: list[bytes]) -> list[_Entry]:
    """The entries of the index; none if a line is damaged, for then all are read again."""
    try:
        return _ENTRIES.validate_json(b"[" + b",".join(lines) + b"]")
    except ValidationError:
        return []


def _write(index: Place, entries: Iterable[_Entry]) -> None:
    if not isinstance(index, Path):
        index.write_bytes(_text(entries))
        return
    scratch = index.with_name(f".{index.name}.{os.getpid()}.tmp")
    scratch.write_bytes(_text(entries))
    scratch.replace(index)


def _append(index: Path, entries: Iterable[_Entry]) -> None:
    with index.open("ab") as file:  # one write, so that two readers cannot mix their lines
        file.write(_text(entries))


def _text(entries: Iterable[_Entry]) -> bytes:
    """One line per entry."""
    excluded = {"__all__": {3: {"accuracies"}}}
    texts = (_ENTRIES.dump_json([entry], exclude=excluded) for entry in entries)
    return b"".join(text[1:-1] + b"\n" for text in texts)
