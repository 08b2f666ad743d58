"""What a storage could do without: files that no report, no running sweep and no growth reads.

Records, plans, test outputs and reports are never among them. Checkpoints of trials that may go on
stay, and so does every network that a sweep names. Nothing is taken from a sweep that runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from prunetune.agenda import Agenda, Finished, Trials, due, study_outcomes
from prunetune.plan import Plan
from prunetune.records.files import StoredFile, StoredFolder
from prunetune.records.folders import is_checkpoint, is_record, is_weights
from prunetune.records.listing import files_in, folders_in
from prunetune.records.places import is_sweep_name, storage_place
from prunetune.records.record import Record, TrialSpec
from prunetune.records.store import Store, sweep_names
from prunetune.sweep.plan_file import load_plan

_SHARED = ("dense", "sparse")
_WRITING_NS = 3600 * 10**9
"""A file under its scratch name may be in the writing for so long, by a report for instance."""


class Garbage(NamedTuple):
    """A file that can be deleted."""

    file: StoredFile
    size: int
    """In bytes."""
    reason: str
    sweep: str | None
    """The sweep that it belongs to; None for networks that sweeps share."""


class Collection(NamedTuple):
    """What can be deleted, and what was left alone."""

    garbage: tuple[Garbage, ...]
    left: tuple[str, ...]
    """A sentence on each sweep that was not looked into, and on shared networks."""


def collect(storage: str | Path, *, weights: bool = False) -> Collection:
    """What the storage could do without.

    Args:
        storage: its folder or address.
        weights: whether, in finished sweeps, weights of confirmed networks count as well, but for
            one network of each study: no report reads them.

    Raises:
        CorruptFileError: a plan or a record is damaged, so nobody can tell what is needed.
    """
    stores = [Store(storage, name) for name in sweep_names(storage)]
    running = [store.sweep for store in stores if store.is_locked()]
    left = [f"{name} runs, and is left alone" for name in running]
    unplanned = _unplanned(storage)
    left += [f"{name} has no plan.json, and is left alone" for name in unplanned]
    garbage: list[Garbage] = []
    for store in stores:
        if store.sweep not in running:
            garbage += _of_sweep(store, weights)
    if running or unplanned:
        left.append("so are the networks that sweeps share")
    else:
        garbage += _shared(storage, stores)
    return Collection(tuple(garbage), tuple(left))


def delete_garbage(storage: str | Path, collection: Collection, *, weights: bool = False) -> int:
    """Delete what was collected and still is garbage; return how many bytes that freed.

    Every sweep is held meanwhile, so that none begins to need what goes.

    Raises:
        StorageError: a sweep has begun to run, or the storage cannot be written.
    """
    wanted = {str(each.file) for each in collection.garbage}
    sweeps = {each.sweep for each in collection.garbage}
    names = sweep_names(storage) if None in sweeps else sorted(filter(None, sweeps))
    freed = 0
    with ExitStack() as held:
        stores = [Store(storage, name) for name in names]
        for store in stores:
            held.enter_context(store.lock())
        again = [g for store in stores if store.sweep in sweeps for g in _of_sweep(store, weights)]
        if None in sweeps:
            again += _shared(storage, stores)
        for each in again:
            if str(each.file) in wanted:
                each.file.delete()
                freed += each.size
    return freed


def _unplanned(storage: str | Path) -> list[str]:
    """Folders with trials or records whose plan is gone: nobody can tell what they need."""
    place, planned = storage_place(storage), sweep_names(storage)
    others = (name for name in folders_in(place) if is_sweep_name(name) and name not in planned)
    return [name for name in others if {"trials", "records"} & set(folders_in(place / name))]


def _of_sweep(store: Store, weights: bool) -> Iterator[Garbage]:
    plan, records = load_plan(store), store.records()
    spare = _spare_networks(plan, store, records) if weights else set()

    def reason(key: str) -> Callable[[str], str | None]:
        record = records.get(key)
        over = record is not None and record.status != "failed"  # failed ones may be retried

        def why(name: str) -> str | None:
            if is_checkpoint(name) and over:
                return "checkpoints of trials that have ended"
            if is_weights(name) and key in spare:
                return "weights of confirmed networks but the first of each study"
            return _useless(name)

        return why

    for key in store.trial_keys():
        yield from _garbage(store.trial_folder(key), reason(key), store.sweep)
    yield from _garbage(store.records_folder, _cut_short, store.sweep)
    yield from _garbage(StoredFolder(store.root), _useless, store.sweep)


def _spare_networks(plan: Plan, store: Store, records: dict[str, Record]) -> set[str]:
    """Keys of confirmed networks whose weights nothing reads; none of a sweep that goes on."""
    trials = store.trials(records)
    if trials or not isinstance(due(Agenda(plan, Trials(records))), Finished):
        return set()
    confirmed = {record.key for record in records.values() if record.phase == "confirm"}
    for outcome in study_outcomes(plan, records).values():
        confirmed -= {record.key for record in outcome.confirmed[:1]}
    return confirmed


def _shared(storage: str | Path, stores: list[Store]) -> Iterator[Garbage]:
    """Networks that no sweep names, and remains in the folders of those that one does."""
    named: set[str] = set()
    finished = True
    for store in stores:
        records = store.records()
        trials = store.trials(records)
        finished &= isinstance(due(Agenda(load_plan(store), Trials(records, trials))), Finished)
        known: list[Record | TrialSpec] = [*records.values(), *trials.values()]
        for trial in known:
            named |= {trial.key, *trial.inputs.values()}
        named |= {record.sparsified for record in records.values() if record.sparsified}
    for kind in _SHARED:
        # the key of a sparsified network is known once its trial has ended
        orphans = kind == "dense" or finished
        for key in folders_in(storage_place(storage) / kind):
            folder = StoredFolder(storage_place(storage) / kind / key)
            yield from _garbage(folder, _of_orphan if orphans and key not in named else _useless)


def _of_orphan(name: str) -> str | None:
    return None if is_record(name) else "networks that no sweep names"


def _useless(name: str) -> str | None:
    if ".damaged-" in name and not is_record(name):
        return "damaged files that were set aside"
    return _cut_short(name)


def _cut_short(name: str) -> str | None:
    if name.startswith(".") and name.endswith(".tmp"):
        return "files whose writing was cut short"
    return None


def _garbage(
    folder: StoredFolder, why: Callable[[str], str | None], sweep: str | None = None
) -> Iterator[Garbage]:
    for entry in files_in(folder.place):
        reason = why(entry.name)
        written_now = (
            entry.name.endswith(".tmp") and time.time_ns() - entry.changed_ns < _WRITING_NS
        )
        if reason is not None and not written_now:
            yield Garbage(folder.file(entry.name), entry.size, reason, sweep)
