"""The door to the storage: every file of a sweep is asked for here, by what is stored in it.

STORAGE/<sweep>/sweep.yaml, plan.json, records/, records.index, trials/, report/
STORAGE/dense/<key>/, STORAGE/sparse/<key>/, STORAGE/.storage-id

Only this package joins names of the storage to paths, so that an object store can take the place of
the folder: it would fetch a `StoredFile` before a read and send it after a write.
"""

from __future__ import annotations

import os
import re
from collections.abc import Container
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from prunetune.records.collector import uncollected
from prunetune.records.files import CorruptFileError, StoredFile, StoredFolder
from prunetune.records.folders import SharedNetworkFolder, TrialFolder
from prunetune.records.identity import made_id
from prunetune.records.index import index_record, indexed_records
from prunetune.records.lock import exclusive_lock, is_locked
from prunetune.records.record import Record, TrialSpec


class StorageAddressError(ValueError):
    """The storage that was asked for is not a folder."""

    exit_code = 2


def sweep_names(storage: str | os.PathLike[str]) -> list[str]:
    """The sweeps that have begun under a storage folder, sorted by name."""
    return sorted(path.parent.name for path in storage_folder(storage).glob("*/plan.json"))


def storage_folder(storage: str | os.PathLike[str]) -> Path:
    """The absolute path of a storage folder; `~` is the user's home.

    Raises:
        StorageAddressError: it is the address of an object store, or its bytes are no text.
    """
    written = str(storage)
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", written):
        raise StorageAddressError(f"storage {written!r} is not a folder; give a folder")
    path = Path(os.path.expanduser(written)).absolute()
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise StorageAddressError(
            f"storage {written!r}: the path is not UTF-8, so records and MLflow cannot name it; "
            "rename the folder"
        ) from None
    return path


class Store:
    """The files of one sweep under one storage folder.

    Raises:
        StorageAddressError: see `storage_folder`.
    """

    def __init__(self, storage: str | os.PathLike[str], sweep: str) -> None:
        self.storage = storage_folder(storage)
        self.sweep = sweep
        self.root = self.storage / sweep

    @classmethod
    def of_folder(cls, folder: Path) -> Store | None:
        """The store whose sweep lies in `folder`; None where no sweep has begun there."""
        if not (folder / "plan.json").exists():
            return None
        return cls(folder.absolute().parent, folder.absolute().name)

    def storage_id(self) -> str:
        """The id of the storage, the same for all its sweeps; the first call writes it.

        Raises:
            CorruptFileError: the id's file was damaged.
            StorageError: the storage cannot be read or written.
        """
        return made_id(self.storage)

    @property
    def sweep_file(self) -> StoredFile:
        """The sweep file as it runs."""
        return StoredFile(self.root / "sweep.yaml")

    @property
    def plan_file(self) -> StoredFile:
        """What the sweep file means, with its hash and every growth, as JSON."""
        return StoredFile(self.root / "plan.json")

    @property
    def running_time(self) -> StoredFile:
        """How long the sweep has run in all its starts, as JSON."""
        return StoredFile(self.root / "running_time.json")

    @property
    def report_folder(self) -> StoredFolder:
        """The report: a page, tables and figures."""
        return StoredFolder(self.root / "report")

    @property
    def ray_log(self) -> Path:
        """A local file that takes Ray's own output."""
        return self.root / "ray.log"

    @property
    def messages_log(self) -> Path:
        """A local file that takes the messages of every run of the sweep."""
        return self.root / "messages.log"

    @property
    def mlflow_folder(self) -> Path:
        """The local folder for MLflow's own database and artifacts."""
        return self.storage

    def dense_folder(self, key: str) -> SharedNetworkFolder:
        """The files of the dense network `key`."""
        return SharedNetworkFolder(self.storage / "dense" / key)

    def sparse_folder(self, key: str) -> SharedNetworkFolder:
        """The files of the sparsified network `key`."""
        return SharedNetworkFolder(self.storage / "sparse" / key)

    def trial_folder(self, key: str) -> TrialFolder:
        """The files of trial `key`, beside its record."""
        return TrialFolder(self.root / "trials" / key)

    def address(self, file: StoredFile) -> str:
        """The path of a file under the storage, as records name it."""
        return str(file.path.relative_to(self.storage))

    def test_outputs_of(self, record: Record) -> StoredFile | None:
        """The outputs of a finished trial for every test image; None where they were not kept."""
        if record.test_outputs is None:
            return None
        dense = record.phase == "dense"
        folder = self.dense_folder(record.key) if dense else self.trial_folder(record.key)
        return folder.test_outputs if folder.test_outputs.exists() else None

    def exists(self) -> bool:
        """Whether anything of the sweep has been stored."""
        return self.root.exists()

    def write_record(self, record: Record) -> bool:
        """Write a record once: False, and nothing is written, if the key has a record already."""
        file = self.record_file(record.key)
        if file.exists():
            return False
        file.write_json(record)
        index_record(self._index, file.path, record)
        return True

    def record_file(self, key: str) -> StoredFile:
        """The record of trial `key`, as JSON."""
        return StoredFile(self.root / "records" / f"{key}.json")

    def set_aside(self, key: str) -> None:
        """Rename the record of a failed trial to <key>.failed-<n>.json: the trial may run again."""
        path = self.record_file(key).path
        count = len(list(path.parent.glob(f"{key}.failed-*.json")))
        path.rename(path.with_name(f"{key}.failed-{count + 1}.json"))

    def records(self) -> dict[str, Record]:
        """All records by key.

        Raises:
            CorruptFileError: names a file that is not a record.
        """
        with uncollected():
            paths = self._record_paths()
            return {path.stem: _load(StoredFile(path), Record, path.stem) for path in paths}

    def light_records(self) -> dict[str, Record]:
        """All records by key, without configuration, architecture, curve and surroundings.

        They are read from an index beside the records, which this call brings up to date.

        Raises:
            CorruptFileError: names a file that is not a record.
        """

        def read(path: Path) -> Record:
            record: Record = _load(StoredFile(path), Record, path.stem)
            return record

        with uncollected():
            return indexed_records(self.root / "records", self._index, read)

    @property
    def _index(self) -> Path:
        return self.root / "records.index"

    def _record_paths(self) -> list[Path]:
        folder = self.root / "records"
        return sorted(p for p in folder.glob("*.json") if ".failed-" not in p.name)

    def write_trial(self, spec: TrialSpec) -> None:
        """Write a trial before it runs."""
        self.trial_folder(spec.key).trial.write_json(spec)

    def trial(self, key: str) -> TrialSpec:
        """The trial `key` as it was dealt.

        Raises:
            CorruptFileError: the file is not that trial.
        """
        spec: TrialSpec = _load(self.trial_folder(key).trial, TrialSpec, key)
        return spec

    def trials(self, without: Container[str] = ()) -> dict[str, TrialSpec]:
        """Every trial that was ever dealt, by key; those in `without` are not read.

        Raises:
            CorruptFileError: names a file that is not a trial.
        """
        folder = self.root / "trials"
        names = sorted(os.listdir(folder)) if folder.is_dir() else []
        dealt = (n for n in names if n not in without and self.trial_folder(n).trial.exists())
        return {name: self.trial(name) for name in dealt}

    def is_locked(self) -> bool:
        """Whether a living process holds the sweep."""
        return is_locked(self.root / ".lock")

    def lock(self) -> AbstractContextManager[None]:
        """Hold the sweep for this process.

        Raises:
            StorageError: another living process holds the sweep, or the storage is not writable.
        """
        name = f"sweep {self.sweep!r} under {self.storage}"
        return exclusive_lock(self.root / ".lock", name)


def _load(file: StoredFile, model: type[Any], key: str) -> Any:
    try:
        value = model.model_validate_json(file.read())
    except ValidationError as error:
        first = error.errors()[0]
        where = "".join(f"{part}: " for part in first["loc"])
        raise _corrupt(file, f"{where}{first['msg']}") from error
    if value.key != key:
        raise _corrupt(file, f"it is of trial {value.key}")
    return value


def _corrupt(file: StoredFile, reason: str) -> CorruptFileError:
    return CorruptFileError(
        f"{file.path}: {reason}; the file is damaged, or a newer prunetune wrote it: move it away, "
        "and its trial runs again"
    )
