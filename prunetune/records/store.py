"""The door to the storage: every file of a sweep is asked for here, by what is stored in it.

STORAGE/<sweep>/sweep.yaml, plan.json, records/, records.index, trials/, report/
STORAGE/dense/<key>/, STORAGE/sparse/<key>/, STORAGE/.storage-id

Only this package joins names of the storage to places, so that STORAGE may be a folder of this
machine, one that several machines share, or a folder of an object store.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from prunetune.records.collector import uncollected
from prunetune.records.files import StoredFile
from prunetune.records.identity import made_id
from prunetune.records.index import index_record, indexed_outcomes, record_files
from prunetune.records.listing import each_read, files_in, folders_in
from prunetune.records.loading import load_keyed, load_or_note
from prunetune.records.lock import is_locked
from prunetune.records.places import is_sweep_name, storage_place
from prunetune.records.record import Record, TrialSpec
from prunetune.records.sweep_files import StorageAddress, SweepFiles
from prunetune.records.trial_outcome import TrialOutcome


def sweep_names(storage: StorageAddress) -> list[str]:
    """The sweeps that have begun under a storage, sorted by name."""
    place = storage_place(storage)
    names = [name for name in folders_in(place) if is_sweep_name(name)]
    return [name for name in names if Store(place, name).plan_file.exists()]


class Store(SweepFiles):
    """The files of one sweep under one storage.

    It travels to workers as an address: each process opens the storage by itself.

    Raises:
        StorageAddressError: see `places.storage_place` and `places.sweep_folder`.
    """

    @classmethod
    def of_folder(cls, folder: Path | str) -> Store | None:
        """The store whose sweep lies in `folder`; None where no sweep has begun there."""
        place = storage_place(folder)
        if isinstance(place, Path):
            place = Path(os.path.normpath(place))
        if not StoredFile(place / "plan.json").exists():
            return None
        return cls(place.parent, place.name)

    def storage_id(self) -> str:
        """The id of the storage, the same for all its sweeps; the first call writes it.

        Raises:
            CorruptFileError: the id's file was damaged.
            StorageError: the storage cannot be read or written.
        """
        return made_id(self.storage)

    def exists(self) -> bool:
        """Whether anything of the sweep has been stored."""
        return bool(files_in(self.root) or folders_in(self.root))

    def write_record(self, record: Record) -> bool:
        """Write a record once: False, and nothing is written, if the key has a record already.

        Raises:
            StorageError: the storage is away, or another process took the sweep over.
        """
        self._ownership.check()
        file = self.record_file(record.key)
        if file.exists():
            return False
        file.write_json(record)
        index_record(self._index, file.place, record)
        return True

    def set_aside(self, key: str) -> None:
        """Rename the record of a failed trial to <key>.failed-<n>.json: the trial may run again."""
        self._ownership.check()
        file, names = self.record_file(key), files_in(self.root / "records")
        count = sum(entry.name.startswith(f"{key}.failed-") for entry in names)
        file.rename(f"{key}.failed-{count + 1}.json")

    def records(self, damaged: list[str] | None = None) -> dict[str, Record]:
        """All records by key.

        Args:
            damaged: takes a sentence on each file that cannot be read and is left out; None: such
                a file is an error.

        Raises:
            CorruptFileError: names a file that is not a record.
            StorageError: the storage is away.
        """
        with uncollected():
            return {record.key: record for record in self.each_record(damaged)}

    def each_record(self, damaged: list[str] | None = None) -> Iterator[Record]:
        """`records` one by one, for thousands that need not be in memory together."""
        folder = self.root / "records"
        names = [file.name for file in record_files(folder)]
        if not names:
            self._ownership.check_storage()
        found = each_read(folder, names, self._reader(damaged))
        yield from (record for record in found if record is not None)

    def record(self, key: str) -> Record:
        """The record of one trial.

        Raises:
            CorruptFileError: the file is not that record.
            StorageError: the storage is away.
        """
        return load_keyed(self.record_file(key), Record, key)

    def outcomes(self, damaged: list[str] | None = None) -> dict[str, TrialOutcome]:
        """The outcomes of all ended trials, by key and without their curves; see `records`.

        They are read from an index beside the records, which this call brings up to date: good to
        show and to count. Who decides anything reads the records.

        Raises:
            CorruptFileError: names a file that is not a record.
        """
        with uncollected():
            return indexed_outcomes(self.root / "records", self._index, self._reader(damaged))

    def _reader(self, damaged: list[str] | None) -> Callable[[str], Record | None]:
        def read(name: str) -> Record | None:
            key = name.removesuffix(".json")
            return load_or_note(self.record_file(key), Record, key, damaged)

        return read

    def write_trial(self, spec: TrialSpec) -> None:
        """Write a trial before it runs.

        Raises:
            StorageError: the storage is away, or another process took the sweep over.
        """
        self._ownership.check()
        self.trial_folder(spec.key).trial.write_json(spec)

    def trial(self, key: str) -> TrialSpec:
        """The trial `key` as it was dealt.

        Raises:
            CorruptFileError: the file is not that trial.
        """
        return load_keyed(self.trial_folder(key).trial, TrialSpec, key)

    def trials(
        self, without: Container[str] = (), damaged: list[str] | None = None
    ) -> dict[str, TrialSpec]:
        """Every trial that was ever dealt, by key; those in `without` are not read.

        Args:
            without: keys.
            damaged: see `records`.

        Raises:
            CorruptFileError: names a file that is not a trial.
        """

        def read(key: str) -> TrialSpec | None:
            return load_or_note(self.trial_folder(key).trial, TrialSpec, key, damaged)

        folder = self.root / "trials"
        keys = [key for key in folders_in(folder) if key not in without]
        found = each_read(folder, keys, read)
        return {spec.key: spec for spec in found if spec is not None}

    def is_locked(self) -> bool:
        """Whether a process holds the sweep and seems to live."""
        return is_locked(self.root / ".owner")

    def lock(self) -> AbstractContextManager[None]:
        """Hold the sweep for this process; from here on a storage that disappears is an error.

        Raises:
            StorageError: another living process holds the sweep, the storage is not writable, or
                it is one in which two owners could not be told apart.
        """
        name = f"sweep {self.sweep!r} under {self.storage}"
        return self._ownership.hold(self.storage, self.root, self.local_folder, name)
