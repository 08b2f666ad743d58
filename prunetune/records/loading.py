"""Reads records and trials, and names the file that is not what it should be."""

from __future__ import annotations

from typing import TypeVar

from pydantic import ValidationError

from prunetune.records.files import CorruptFileError, StorageError, StoredFile
from prunetune.records.record import Record, TrialSpec

KeyedT = TypeVar("KeyedT", Record, TrialSpec)


def load_keyed(file: StoredFile, model: type[KeyedT], key: str) -> KeyedT:
    """The record or trial in a file.

    Raises:
        CorruptFileError: the file holds something else, or that of another trial.
        FileNotFoundError: there is no such file.
        StorageError: the file cannot be read.
    """
    try:
        value = model.model_validate_json(file.read())
    except ValidationError as error:
        first = error.errors()[0]
        where = "".join(f"{part}: " for part in first["loc"])
        raise _corrupt(file, f"{where}{first['msg']}") from error
    if value.key != key:
        raise _corrupt(file, f"it is of trial {value.key}")
    return value


def load_or_note(
    file: StoredFile, model: type[KeyedT], key: str, damaged: list[str] | None
) -> KeyedT | None:
    """`load_keyed`; None for a missing file, or an unreadable one, which `damaged` then names.

    Raises:
        CorruptFileError: `damaged` is None, and the file is not what it should be.
        StorageError: `damaged` is None, and the file cannot be read.
    """
    try:
        return load_keyed(file, model, key)
    except FileNotFoundError:
        return None
    except (CorruptFileError, StorageError) as error:
        if damaged is None:
            raise
        damaged.append(str(error))
        return None


def _corrupt(file: StoredFile, reason: str) -> CorruptFileError:
    return CorruptFileError(
        f"{file}: {reason}; the file is damaged, or a newer prunetune wrote it: move it away, "
        "and its trial runs again"
    )
