"""A sweep's MLflow, and its Optuna storage: opened for its run and ended within bounds."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TypeVar

from prunetune.config.file.tracking_uri import NO_TRACKING
from prunetune.plan import Plan
from prunetune.records.files import StorageError
from prunetune.records.record import Record
from prunetune.records.store import Store

if TYPE_CHECKING:
    from prunetune.tracking.mlflow_store import MlflowStore
    from prunetune.tune.optuna_storage import OptunaMirror

_BROKEN_OFF_S = 10.0
"""How long a run that was interrupted, or failed, waits for MLflow."""
_MIRROR_END_S = 60.0
"""How long a run that has ended waits for an Optuna storage."""

_log = logging.getLogger(__name__)


@contextmanager
def tracked(plan: Plan, store: Store) -> Iterator[MlflowStore | None]:
    """MLflow for the block, told of all records so far; None where the sweep file wants none.

    The end of the block waits until MLflow has heard everything, for a minute at most.
    """
    from prunetune.tracking.mlflow_store import END_S

    uri = plan.tracking["uri"]
    if uri == NO_TRACKING:
        yield None
        return
    with _kept_up(_opened(plan, store, uri), store, END_S) as tracking:
        yield tracking


@contextmanager
def mirrored(plan: Plan, store: Store) -> Iterator[OptunaMirror | None]:
    """The copy of the studies in an Optuna storage; None where the sweep file names none."""
    uri = plan.tracking.get("optuna")
    if uri is None:
        yield None
        return
    from prunetune.tune.optuna_storage import OptunaMirror

    with _kept_up(OptunaMirror(plan, uri), store, _MIRROR_END_S) as mirror:
        yield mirror


class _Follower(Protocol):
    """What hears of every record, some time after it was written."""

    def sync(self, records: Iterable[Record]) -> None: ...

    def finish(self, longest_s: float = ...) -> None: ...


_F = TypeVar("_F", bound=_Follower)


@contextmanager
def _kept_up(follower: _F, store: Store, end_s: float) -> Iterator[_F]:
    """Tell the follower what it missed, and wait for it: `end_s` at most, less after a failure."""
    longest_s = _BROKEN_OFF_S
    try:
        follower.sync(store.records().values())
        yield follower
        longest_s = end_s
    finally:
        follower.finish(longest_s)


def caught_up(plan: Plan, store: Store) -> MlflowStore:
    """The sweep's MLflow, after it was told what it had missed.

    For a sweep that ran without MLflow it is a store beside the results. The call waits as long as
    MLflow takes updates. The sweep may be running, or its storage be read-only: then MLflow stays
    as it is, and a message says so.
    """
    uri = plan.tracking["uri"]
    tracking = _opened(plan, store, None if uri == NO_TRACKING else uri)
    try:
        with store.lock(), mirrored(plan, store):
            _tell(plan, store, tracking)
    except StorageError as error:
        _log.info("MLflow is shown as it is: %s", error)
    return tracking


def _tell(plan: Plan, store: Store, tracking: MlflowStore) -> None:
    from prunetune.analysis.report import analyse
    from prunetune.sweep.publish import tell_answer

    records = store.records()
    tracking.sync(records.values())
    # not report.json, which may be of an older version or of fewer records
    tell_answer(plan, store, records, analyse(plan, records), tracking)
    tracking.finish(None)


def _opened(plan: Plan, store: Store, uri: str | None) -> MlflowStore:
    """The sweep's MLflow. There a sweep is called as its folder is, which may have been renamed."""
    from prunetune.tracking.mlflow_store import MlflowStore

    plan = plan.model_copy(update={"sweep": store.sweep})
    experiment = plan.tracking["experiment"]
    return MlflowStore(plan, uri, store.mlflow_folder, store.storage_id(), experiment)
