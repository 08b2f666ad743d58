"""All that the storage knows of one trial: how it was dealt, its record, its faults, its files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from prunetune.config.parts import Params
from prunetune.records.files import StoredFolder
from prunetune.records.find_trial import find_trial
from prunetune.records.folders import NetworkFolder
from prunetune.records.listing import files_in
from prunetune.records.loading import load_keyed
from prunetune.records.record import Record, TrialSpec
from prunetune.records.store import Store
from prunetune.sweep.unfinished import UnfinishedTrial, unfinished_trials
from prunetune.tune.breaks import Break, BreakLog


class TrialFacts(Params):
    """One trial, finished or not."""

    key: str
    sweep: str
    sweeps: tuple[str, ...]
    """All sweeps of the storage that have a trial of this key."""
    state: str
    """The status of its record; of a trial without one: running, interrupted or waiting."""
    record: Record | None = None
    trial: TrialSpec | None = None
    """The trial as it was dealt; None where only its record was kept."""
    unfinished: UnfinishedTrial | None = None
    breaks: tuple[Break, ...] = ()
    """When and by what it broke off."""
    files: Mapping[str, int] = {}
    """What is kept of it, as paths under the storage, each with its size in bytes."""

    def store(self, storage: str | Path) -> Store:
        """The store of its sweep."""
        return Store(storage, self.sweep)


def trial_facts(prefix: str, storage: str | Path) -> TrialFacts:
    """What is known of the trial whose key begins with `prefix`.

    Raises:
        NoTrialError: no trial's key begins so, or those of several do.
        CorruptFileError: the trial's files are damaged.
    """
    store, key, sweeps = find_trial(storage, prefix)
    record_file, folder = store.record_file(key), store.trial_folder(key)
    record = load_keyed(record_file, Record, key) if record_file.exists() else None
    spec = load_keyed(folder.trial, TrialSpec, key) if folder.trial.exists() else None
    unfinished = None
    if record is None and spec is not None:
        (unfinished,) = unfinished_trials(store, [spec])
    return TrialFacts(
        key=key,
        sweep=store.sweep,
        sweeps=sweeps,
        state=record.status if record else _state(store, unfinished),
        record=record,
        trial=spec,
        unfinished=unfinished,
        breaks=BreakLog(folder.breaks).breaks,
        files=_files(store, key, record or spec),
    )


def trial_messages(store: Store, key: str) -> list[str]:
    """The messages of the sweep's runs, on this machine, that name the trial."""
    log = store.messages_log
    if not log.exists():
        return []
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return [line for line in lines if key in line]


def _state(store: Store, unfinished: UnfinishedTrial | None) -> str:
    if unfinished is None or unfinished.host is None:
        return "waiting"
    return "running" if store.is_locked() else "interrupted"


def _files(store: Store, key: str, trial: Record | TrialSpec | None) -> dict[str, int]:
    folders: list[NetworkFolder] = [store.trial_folder(key)]
    if trial is not None and trial.phase == "dense":
        folders.append(store.dense_folder(key))
    timed = StoredFolder(store.bench_file(key, "device").place.parent)
    return {
        store.address(folder.file(entry.name)): entry.size
        for folder in (*folders, timed)
        for entry in files_in(folder.place)
    }
