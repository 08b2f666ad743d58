"""Runs a finished trial again, in a scratch storage, and says whether it agrees with its record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from prunetune.deploy.agreement import Reproduction, compare_runs
from prunetune.deploy.scratch import scratch_store
from prunetune.models.pretrained import load_state
from prunetune.records.files import StoredFile
from prunetune.records.record import Epoch, Record, TrialSpec
from prunetune.records.record_builder import RecordBuilder
from prunetune.records.store import Store
from prunetune.trial import run_trial
from prunetune.workload import Workload


class NotReproducibleError(LookupError):
    """A trial has nothing that a new run could be compared with."""

    exit_code = 2


def reproduce_trial(
    store: Store,
    record: Record,
    *,
    offline: bool = False,
    on_epoch: Callable[[Epoch], object] = lambda epoch: None,
) -> Reproduction:
    """Run a trial again as it was dealt, from the same networks, and compare.

    On a CPU it takes as many threads as it had. Nothing in the sweep's storage changes.

    Args:
        store: the trial's sweep.
        record: the trial.
        offline: whether a data set that is missing may not be downloaded.
        on_epoch: is called with each epoch of the new run.

    Raises:
        NotReproducibleError: the trial failed, or all but its record is gone.
        DataMissingError: the data set's files are missing.
    """
    if record.status == "failed":
        raise NotReproducibleError(f"trial {record.key} failed ({record.error}): nothing to repeat")
    if not store.trial_folder(record.key).trial.exists():
        raise NotReproducibleError(f"trial {record.key}: trial.json is gone, as it was dealt")
    spec = store.trial(record.key)
    with _threads(record), scratch_store(store, spec, record) as scratch:
        scratch.write_trial(spec)
        after = _run(spec, scratch, record, offline, on_epoch)
        differ = _weights_differ(
            store.network_folder(record).weights, scratch.network_folder(record).weights
        )
    info = Workload.from_json(spec.workload).info
    size = info.test_size if record.test_acc1 is not None else info.val_size
    return compare_runs(
        record,
        after,
        store.records().values(),
        deterministic=spec.deterministic,
        weights_differ=differ,
        grain=1 / size,
    )


def _run(
    spec: TrialSpec,
    scratch: Store,
    before: Record,
    offline: bool,
    on_epoch: Callable[[Epoch], object],
) -> Record:
    """The record of the new run; a trial that was stopped early is stopped at the same epoch."""
    builder = RecordBuilder(spec)
    device = "cpu" if before.device == "cpu" else "auto"
    stopped = before.status == "stopped"
    for report in run_trial(spec, scratch, device=device, offline=offline):
        known = len(builder.curve)
        builder.add(report)
        for epoch in builder.curve[known:]:
            on_epoch(epoch)
        if stopped and len(builder.curve) >= before.epochs:
            return builder.record("stopped")
    return builder.record()


def _weights_differ(before: StoredFile, after: StoredFile) -> bool:
    """Whether both files are there and hold other values."""
    if not (before.exists() and after.exists()):
        return False
    with before.local() as old, after.local() as new:
        then, now = load_state(old), load_state(new)
    return then.keys() != now.keys() or any(
        not torch.equal(then[name].nan_to_num(), now[name].nan_to_num()) for name in then
    )


@contextmanager
def _threads(record: Record) -> Iterator[None]:
    """Compute with as many threads as the record says."""
    before = torch.get_num_threads()
    torch.set_num_threads(record.threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
