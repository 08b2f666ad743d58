"""Other sweeps in the same storage that use the same test images: what they took from them.

Every accuracy on the test set that somebody has seen can influence the next decision, so the test
set wears out however carefully a single sweep reads it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from prunetune.config.parts import Named
from prunetune.plan import Plan
from prunetune.records.files import StorageError
from prunetune.records.record import Frozen
from prunetune.records.store import Store, sweep_names

_SPLITTING = ("val_fraction", "train_limit")
"""Parameters of a data set that change its training images only."""


class OtherSweep(Frozen):
    """Another sweep on the same test images."""

    sweep: str
    tested: int
    """Number of its networks whose accuracy on the test set is known."""
    dense_lengths: dict[int, list[float]] = Field(default_factory=dict)
    """Epochs -> test accuracies of the dense networks that it trained, if they have our widths."""


def other_sweeps(store: Store, plan: Plan) -> tuple[OtherSweep, ...]:
    """All other sweeps of the storage on the same test images, by name; damaged ones are left out.

    A sweep uses the same images if its data key is the same, or if its data set differs in nothing
    but the part of the training images that it uses.
    """
    names = [name for name in sweep_names(store.storage) if name != store.sweep]
    found = (_other(Store(store.storage, name), plan) for name in names)
    return tuple(sweep for sweep in found if sweep is not None)


def _other(store: Store, plan: Plan) -> OtherSweep | None:
    try:
        theirs = json.loads(store.plan_file.read())["plan"]
        if not _same_images(theirs, plan):
            return None
        tested = [r for r in store.outcomes().values() if r.test_acc1 is not None]
    except (StorageError, ValueError, KeyError, TypeError):
        return None
    lengths: dict[int, list[float]] = {}
    dense = theirs["dense"]
    if dense["source"] == "train" and dense["architecture"] == plan.dense.architecture:
        for record in tested:
            if record.phase == "dense" and record.test_acc1 is not None:
                lengths.setdefault(record.epochs, []).append(record.test_acc1)
    return OtherSweep(sweep=store.sweep, tested=len(tested), dense_lengths=lengths)


def _same_images(theirs: dict[str, Any], plan: Plan) -> bool:
    if theirs["data_key"] == plan.data_key:
        return True
    sets = [_test_set(workload) for workload in (theirs["workload"], plan.workload)]
    return None not in sets and sets[0] == sets[1] and theirs["test_size"] == plan.test_size


def dataset_of(workload: Mapping[str, Any]) -> Named | None:
    """The data set of a workload as a plan holds it; None if it names none."""
    return Named.model_validate(workload["dataset"]) if "dataset" in workload else None


def _test_set(workload: Mapping[str, Any]) -> Named | None:
    """What names the test images: the data set with the parameters that matter for them."""
    dataset = dataset_of(workload)
    if dataset is None:
        return None
    params = {k: v for k, v in dataset.params.items() if k not in _SPLITTING}
    return Named(name=dataset.name, params=params)
