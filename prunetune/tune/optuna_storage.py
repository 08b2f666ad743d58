"""Copies each study into an Optuna storage, so that optuna-dashboard and Optuna's plots open it.

The storage is derived from the records and never read for a decision. A thread writes to it, so
that the driver never waits; what cannot be written is written by the next run.
"""

from __future__ import annotations

import json
import logging
import queue
import threading
import time
import warnings
from collections.abc import Iterable
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prunetune.messages import without_passwords
from prunetune.plan import Plan
from prunetune.records.record import Epoch, Record, TrialSpec

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial

KEY_ATTRIBUTE, ENDED_ATTRIBUTE = "prunetune.key", "prunetune.ended_at"
"""User attributes of a trial: together they say which attempt at which trial it is."""

_log = logging.getLogger(__name__)


class OptunaMirror:
    """An observer of a sweep that copies its search trials; its calls return at once.

    Args:
        plan: the sweep.
        uri: the address of the storage, as SQLAlchemy writes it.
    """

    def __init__(self, plan: Plan, uri: str) -> None:
        self._plan, self._uri = plan, uri
        self._waiting: queue.SimpleQueue[Record | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._studies: dict[str, tuple[optuna.Study, set[tuple[str, str]]]] = {}
        self._lost: int = 0
        self._reason = ""

    def on_dealt(self, spec: TrialSpec) -> None:
        """Nothing: a trial is copied when it has ended."""

    def on_epoch(self, spec: TrialSpec, epoch: Epoch) -> None:
        """Nothing: the record has all epochs."""

    def on_record(self, record: Record) -> None:
        """A trial has ended."""
        if record.phase != "search":
            return
        self._waiting.put(record)
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="optuna", daemon=True)
            self._thread.start()

    def sync(self, records: Iterable[Record]) -> None:
        """Copy the search trials that the storage lacks, in the order of their numbers."""
        for record in sorted(records, key=lambda r: (r.study or "", r.number or 0)):
            self.on_record(record)

    def close(self) -> None:
        """Nothing: `finish` waits for the thread."""

    def finish(self, longest_s: float = 60.0) -> None:
        """Wait until all is copied, at most `longest_s`, and say what is not."""
        if self._thread is None:
            return
        self._waiting.put(None)
        began = time.monotonic()
        self._thread.join(longest_s)
        left = self._lost + self._waiting.qsize()
        if left or self._thread.is_alive():
            reason = self._reason or f"no answer within {time.monotonic() - began:.0f} s"
            _log.warning(
                "the Optuna storage %s lacks %d trials (%s); the next run of the sweep copies them",
                *(without_passwords(self._uri), max(left, 1), reason),
            )
        self._thread = None

    def _serve(self) -> None:
        """The thread: copy records until None comes. After a failure the rest is only counted."""
        while record := self._waiting.get():
            try:
                if self._reason:
                    self._lost += 1
                else:
                    self._copy(record)
            except Exception as error:
                text = str(getattr(error, "orig", None) or error) or type(error).__name__
                self._reason = without_passwords(text.strip().partition("\n")[0])
                self._lost += 1

    def _copy(self, record: Record) -> None:
        assert record.study is not None
        study, known = self._studies.get(record.study) or self._open(record.study)
        self._studies[record.study] = study, known
        attempt = (record.key, record.ended_at or "")
        if attempt not in known:
            study.add_trial(_copied(self._plan, record))
            known.add(attempt)

    def _open(self, study_id: str) -> tuple[optuna.Study, set[tuple[str, str]]]:
        """The study in the storage, made where it is missing, and the attempts that it holds."""
        import optuna

        study = optuna.create_study(
            storage=self._storage,
            study_name=f"{self._plan.sweep} {study_id}",
            direction="maximize",
            load_if_exists=True,
        )
        held = study.get_trials(deepcopy=False)
        attributes = [trial.user_attrs for trial in held]
        return study, {(a.get(KEY_ATTRIBUTE, ""), a.get(ENDED_ATTRIBUTE, "")) for a in attributes}

    @cached_property
    def _storage(self) -> RDBStorage:
        """The storage; its tables, and the folder of an SQLite file, are made where missing."""
        import optuna
        from optuna.storages import RDBStorage
        from sqlalchemy import make_url

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        url = make_url(self._uri)
        if url.get_backend_name() == "sqlite" and url.database:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Optuna's notes on what is experimental
            return RDBStorage(self._uri, engine_kwargs={"pool_pre_ping": True})


def _copied(plan: Plan, record: Record) -> FrozenTrial:
    """A record as Optuna's trial, with its curve, its times and what it was."""
    from prunetune.tune.sampling import optuna_trial

    assert record.study is not None
    trial = optuna_trial(plan.study(record.study), record)
    for path, domain in trial.distributions.items():
        trial.distributions[path] = _plain(domain)
        trial.params[path] = _scalar(trial.params[path])
    trial.intermediate_values = {epoch.epoch: epoch.val_acc1 for epoch in record.curve}
    trial.datetime_start = _local(record.started_at)
    trial.datetime_complete = _local(record.ended_at)
    facts = {"number": record.number, "status": record.status, "macs": record.macs}
    trial.user_attrs = {
        KEY_ATTRIBUTE: record.key,
        ENDED_ATTRIBUTE: record.ended_at or "",
        **{f"prunetune.{name}": value for name, value in facts.items()},
    }
    return trial


def _plain(domain: BaseDistribution) -> BaseDistribution:
    """A distribution whose options are values where they can be, and not JSON."""
    from optuna.distributions import CategoricalDistribution

    if not isinstance(domain, CategoricalDistribution):
        return domain
    return CategoricalDistribution([_scalar(option) for option in domain.choices])


def _scalar(option: Any) -> Any:
    """The value of an option in JSON if Optuna can hold it, else the option as it is."""
    if not isinstance(option, str):
        return option
    value = json.loads(option)
    return option if isinstance(value, dict | list) else value


def _local(moment: str | None) -> datetime:
    """An ISO 8601 time as Optuna keeps times: local, without a zone."""
    if moment is None:
        return datetime.now()
    return datetime.fromisoformat(moment).astimezone().replace(tzinfo=None)
