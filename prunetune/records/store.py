"""Where records live: whole files in a folder, one per trial, and a lock while a sweep runs.

STORAGE/<sweep>/sweep.yaml, plan.json, records/, trials/, report/
STORAGE/dense/<key>/, STORAGE/sparse/<key>/
"""

from __future__ import annotations

import fcntl
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from prunetune.records.record import Record, TrialSpec


class StorageError(OSError):
    """The storage cannot be read, written or locked."""


class StorageAddressError(ValueError):
    """A storage that is not a folder."""

    exit_code = 2


class CorruptFileError(ValueError):
    """A stored file that is not what its name says."""

    exit_code = 3


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees all of it or none, also after a power cut."""
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


def to_json(value: BaseModel | dict[str, Any]) -> bytes:
    """Readable JSON, fields in the order of the model."""
    plain = value.model_dump(mode="json", by_alias=True) if isinstance(value, BaseModel) else value
    return (json.dumps(plain, indent=1, allow_nan=False) + "\n").encode()


def _corrupt(path: Path, why: str) -> str:
    return (
        f"{path}: {why}; written by a newer prunetune, or damaged: move it away, and its trial is "
        "run again"
    )


class Store:
    """The files of one sweep under one storage folder."""

    def __init__(self, storage: str | os.PathLike[str], sweep: str) -> None:
        if "://" in str(storage):
            raise StorageAddressError(f"storage {str(storage)!r} is not a folder; give a folder")
        self.storage = Path(storage).expanduser().absolute()
        self.sweep = sweep
        self.root = self.storage / sweep

    def record_path(self, key: str) -> Path:
        """Where the record of trial `key` lies."""
        return self.root / "records" / f"{key}.json"

    def trial_dir(self, key: str) -> Path:
        """The folder of trial `key`: trial.json, checkpoint, weights."""
        return self.root / "trials" / key

    def trial_path(self, key: str) -> Path:
        """Where trial `key` is written down as it was dealt."""
        return self.trial_dir(key) / "trial.json"

    def dense_dir(self, key: str) -> Path:
        """The folder of a dense network, shared between the sweeps of one storage."""
        return self.storage / "dense" / key

    def sparse_dir(self, key: str) -> Path:
        """The folder of a sparsified network, shared between the sweeps of one storage."""
        return self.storage / "sparse" / key

    def report_dir(self) -> Path:
        """The folder of the report."""
        return self.root / "report"

    def write_record(self, record: Record) -> bool:
        """Write a record, once: False (and nothing written) if the key has one already."""
        path = self.record_path(record.key)
        if path.exists():
            return False
        write_whole(path, to_json(record))
        return True

    def set_aside(self, key: str) -> None:
        """Move the record of a failed trial beside it, so that the trial may run again."""
        path = self.record_path(key)
        count = len(list(path.parent.glob(f"{key}.failed-*.json")))
        path.rename(path.with_name(f"{key}.failed-{count + 1}.json"))

    def records(self) -> dict[str, Record]:
        """All records by key; CorruptFileError names a file that cannot be read."""
        folder = self.root / "records"
        paths = sorted(p for p in folder.glob("*.json") if ".failed-" not in p.name)
        return {path.stem: self._load(path, Record, path.stem) for path in paths}

    def drop_checkpoints(self, key: str) -> None:
        """Remove what a trial would have gone on from: its record is written."""
        for pattern in ("checkpoint.safetensors", "shrinking.safetensors", "stage-*.safetensors"):
            for path in self.trial_dir(key).glob(pattern):
                path.unlink()

    def write_trial(self, spec: TrialSpec) -> None:
        """Write what is about to run, before it runs."""
        write_whole(self.trial_path(spec.key), to_json(spec))

    def trial(self, key: str) -> TrialSpec:
        """The trial `key` as it was dealt."""
        spec: TrialSpec = self._load(self.trial_path(key), TrialSpec, key)
        return spec

    def trials(self) -> dict[str, TrialSpec]:
        """Every trial that was ever dealt, by key."""
        paths = sorted((self.root / "trials").glob("*/trial.json"))
        return {path.parent.name: self._load(path, TrialSpec, path.parent.name) for path in paths}

    @staticmethod
    def _load(path: Path, model: type[Any], key: str) -> Any:
        try:
            found = model.model_validate_json(path.read_bytes())
        except ValidationError as error:
            first = error.errors()[0]
            where = "".join(f"{part}: " for part in first["loc"])
            raise CorruptFileError(_corrupt(path, f"{where}{first['msg']}")) from error
        if found.key != key:
            raise CorruptFileError(_corrupt(path, f"it is of trial {found.key}"))
        return found

    def is_locked(self) -> bool:
        """Whether a living process holds the sweep."""
        path = self.root / ".lock"
        if not path.exists():
            return False
        with path.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the sweep for this process; StorageError while another live one holds it."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"cannot make {self.root}: {error.strerror or error}") from error
        with (self.root / ".lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                holder = file.read().strip() or "another process"
                raise StorageError(
                    f"sweep {self.sweep!r} under {self.storage} is running already ({holder})"
                ) from None
            file.truncate(0)
            file.write(f"process {os.getpid()}\n")
            file.flush()
            yield
