"""The files of a sweep by what is stored in them: the only place that knows how they are called."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from prunetune.records.bench import Bench, device_slug, read_bench
from prunetune.records.files import StoredFile, StoredFolder
from prunetune.records.folders import NetworkFolder, SharedNetworkFolder, TrialFolder
from prunetune.records.listing import files_in, folders_in
from prunetune.records.ownership import Ownership
from prunetune.records.place import Place
from prunetune.records.places import folder_here, key_folder, storage_place, sweep_folder
from prunetune.records.record import Record, TrialIdentity

StorageAddress = str | os.PathLike[str] | Place
"""A folder, or the address of one in an object store."""


class SweepFiles:
    """Where the files of one sweep under one storage lie."""

    def __init__(self, storage: StorageAddress, sweep: str) -> None:
        self.storage = storage_place(storage)
        self.sweep = sweep
        self.root = sweep_folder(self.storage, sweep)
        self._ownership = Ownership()

    @property
    def sweep_file(self) -> StoredFile:
        """The sweep file as it runs."""
        return self._file("sweep.yaml")

    @property
    def plan_file(self) -> StoredFile:
        """What the sweep file means, with its hash and every growth, as JSON."""
        return self._file("plan.json")

    @property
    def running_time(self) -> StoredFile:
        """How long the sweep has run in all its starts, as JSON."""
        return self._file("running_time.json")

    @property
    def report_folder(self) -> StoredFolder:
        """The report: a page, tables and figures."""
        return StoredFolder(self.root / "report", self._ownership.anchor)

    @property
    def local_folder(self) -> Path:
        """A folder of this machine for logs: the sweep's own, if its storage is a folder."""
        return folder_here(self.storage) / self.sweep

    @property
    def ray_log(self) -> Path:
        """A local file that takes Ray's own output."""
        return self.local_folder / "ray.log"

    @property
    def messages_log(self) -> Path:
        """A local file that takes the messages of every run of the sweep."""
        return self.local_folder / "messages.log"

    @property
    def mlflow_folder(self) -> Path:
        """The local folder for MLflow's own database and artifacts."""
        return folder_here(self.storage)

    def dense_folder(self, key: str) -> SharedNetworkFolder:
        """The files of the dense network `key`."""
        return SharedNetworkFolder(key_folder(self.storage / "dense", key), self._ownership.anchor)

    def sparse_folder(self, key: str) -> SharedNetworkFolder:
        """The files of the sparsified network `key`."""
        return SharedNetworkFolder(key_folder(self.storage / "sparse", key), self._ownership.anchor)

    def trial_folder(self, key: str) -> TrialFolder:
        """The files of trial `key`, beside its record."""
        return TrialFolder(key_folder(self.root / "trials", key), self._ownership.anchor)

    def trial_keys(self) -> list[str]:
        """The keys of all trials that have a folder, ended or not."""
        return folders_in(self.root / "trials")

    def network_folder(self, trial: TrialIdentity) -> NetworkFolder:
        """Where the network of a trial lies: sweeps share dense ones, which have other folders."""
        if trial.phase == "dense":
            return self.dense_folder(trial.key)
        return self.trial_folder(trial.key)

    def address(self, file: StoredFile) -> str:
        """The path of a file under the storage, as records name it."""
        return str(file).removeprefix(f"{self.storage}/")

    def test_outputs_of(self, record: Record) -> StoredFile | None:
        """The outputs of a finished trial for every test image; None where they were not kept."""
        if record.test_outputs is None:
            return None
        folder = self.network_folder(record)
        return folder.test_outputs if folder.test_outputs.exists() else None

    @property
    def records_folder(self) -> StoredFolder:
        """The records of all trials that have ended."""
        return StoredFolder(self.root / "records", self._ownership.anchor)

    def record_file(self, key: str) -> StoredFile:
        """The record of trial `key`, as JSON."""
        return self._file(f"records/{key}.json")

    def bench_file(self, key: str, device: str) -> StoredFile:
        """How fast the network of trial `key` is on a device, as JSON."""
        folder = key_folder(self.root / "bench", key)
        return StoredFile(folder / f"{device_slug(device)}.json", self._ownership.anchor)

    def benches(self) -> Iterator[Bench]:
        """How fast networks of the sweep are, on each device on which they were timed.

        A damaged file is left out with a warning: the network can be timed again.
        """
        for key in folders_in(self.root / "bench"):
            for entry in files_in(self.root / "bench" / key):
                file = self._file(f"bench/{key}/{entry.name}")
                if entry.name.endswith(".json") and (bench := read_bench(file)) is not None:
                    yield bench

    @property
    def _index(self) -> Place:
        return self.root / "records.index"

    def _file(self, name: str) -> StoredFile:
        return StoredFile(self.root / name, self._ownership.anchor)
