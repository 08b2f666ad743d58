"""A scratch storage with what one trial starts from, so that it can run again beside its sweep."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prunetune.records.folders import SharedNetworkFolder
from prunetune.records.record import Record, TrialSpec
from prunetune.records.store import Store


@contextmanager
def scratch_store(store: Store, spec: TrialSpec, record: Record) -> Iterator[Store]:
    """A store in a temporary folder, which has the networks whose weights the trial inherits.

    Networks that are gone there are trained again, as in a sweep.
    """
    with tempfile.TemporaryDirectory(prefix="prunetune-reproduce-") as folder:
        scratch = Store(Path(folder), store.sweep)
        if dense := spec.inputs.get("dense"):
            if store.trial_folder(dense).trial.exists():
                scratch.write_trial(store.trial(dense))
            _copy(store.dense_folder(dense), scratch.dense_folder(dense))
        if record.sparsified:
            key = record.sparsified
            _copy(store.sparse_folder(key), scratch.sparse_folder(key))
        yield scratch


def _copy(source: SharedNetworkFolder, target: SharedNetworkFolder) -> None:
    """Copy a network that is whole; the record comes last, as when it was made."""
    if source.is_complete():
        target.weights.write(source.weights.read())
        target.record.write(source.record.read())
