"""Finds a trial by the beginning of its key, in whichever sweep of a storage it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from prunetune.records.listing import files_in, folders_in
from prunetune.records.places import is_sweep_name, storage_place
from prunetune.records.store import Store
from prunetune.records.sweep_files import StorageAddress

_MOST_LISTED = 8
"""Keys that an error lists."""


class NoTrialError(LookupError):
    """No trial has such a key, or several have."""

    exit_code = 2


class FoundTrial(NamedTuple):
    """A trial and a sweep that it belongs to."""

    store: Store
    key: str
    sweeps: tuple[str, ...]
    """All sweeps with a trial of this key: they may share dense networks."""


def find_trial(storage: StorageAddress, prefix: str) -> FoundTrial:
    """The trial whose key begins with `prefix`.

    Raises:
        NoTrialError: no trial's key begins so, or those of several do.
        StorageError: the storage cannot be read.
    """
    sweeps: dict[str, list[Store]] = {}
    for store in _stores(storage):
        for key in _keys(store):
            if prefix and key.startswith(prefix):
                sweeps.setdefault(key, []).append(store)
    if prefix in sweeps:
        sweeps = {prefix: sweeps[prefix]}
    if len(sweeps) != 1:
        raise NoTrialError(_message(storage, prefix, sweeps))
    ((key, stores),) = sweeps.items()
    ended = [store for store in stores if store.record_file(key).exists()]
    return FoundTrial((ended or stores)[0], key, tuple(store.sweep for store in stores))


def known_keys(storage: StorageAddress) -> Iterator[str]:
    """The keys of all trials under a storage; those that sweeps share come once for each.

    Raises:
        StorageError: the storage cannot be read.
    """
    for store in _stores(storage):
        yield from sorted(_keys(store))


def _stores(storage: StorageAddress) -> Iterator[Store]:
    place = storage_place(storage)
    for name in folders_in(place):
        if is_sweep_name(name):
            yield Store(place, name)


def _keys(store: Store) -> set[str]:
    """The keys of all trials that were dealt or have ended."""
    names = (file.name for file in files_in(store.records_folder.place))
    ended = {name.removesuffix(".json") for name in names if name.endswith(".json")}
    return {key for key in ended if "." not in key} | set(store.trial_keys())


def _message(storage: StorageAddress, prefix: str, sweeps: Mapping[str, list[Store]]) -> str:
    if not sweeps:
        return f"no trial under {storage} has a key that begins with {prefix!r}"
    listed = [f"{key} ({stores[0].sweep})" for key, stores in sorted(sweeps.items())]
    more = ", …" if len(listed) > _MOST_LISTED else ""
    which = ", ".join(listed[:_MOST_LISTED])
    return f"{len(listed)} keys begin with {prefix!r}: {which}{more}; write more of the key"
