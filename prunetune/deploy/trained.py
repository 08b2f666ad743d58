"""The network that a trial has trained, rebuilt from its record and its kept weights."""

from __future__ import annotations

from torch import nn

from prunetune.records.record import Record
from prunetune.records.store import Store
from prunetune.workload import load_network


class NoNetworkError(LookupError):
    """A trial has left no network."""

    exit_code = 2


def trained_network(store: Store, record: Record) -> nn.Module:
    """The network of a finished trial with its weights, in evaluation mode on the CPU.

    Raises:
        NoNetworkError: the trial kept no weights.
        WeightsFileError: the weights are damaged.
    """
    weights = store.network_folder(record).weights
    if record.architecture is None or not weights.exists():
        raise NoNetworkError(f"trial {record.key} has no weights: {_why(record)}")
    with weights.local() as path:
        return load_network(record.architecture, path).eval()


def _why(record: Record) -> str:
    if record.status != "completed":
        return f"it ended as {record.status}"
    if record.phase in ("search", "rescore"):
        return f"a {record.phase} trial keeps none; those of the dense and confirm phases do"
    return "they were deleted, or stayed in another storage"
