"""The state of a sweep while it runs: what Ray's searcher, scheduler and callback share.

Plain Python. The agenda says what is due; here it is written down before it runs, and its record
before anybody hears of its end.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from prunetune import agenda
from prunetune.agenda import Agenda, Ask, Deal, Finished, Trials, Wait
from prunetune.plan import Plan
from prunetune.records.cost_meter import CostMeter
from prunetune.records.record import Record, Status, TrialSpec
from prunetune.records.record_builder import RecordBuilder
from prunetune.records.store import Store
from prunetune.tune.callbacks import Broadcast
from prunetune.tune.faults import Fault
from prunetune.tune.rungs import rivals, stop_at
from prunetune.tune.sampling import ConfigSampler

RETRIES = 2
"""How often a trial that raised or lost its worker is run again before it has failed."""


@dataclass
class Live:
    """A trial that was dealt and has not been closed."""

    spec: TrialSpec
    builder: RecordBuilder
    status: Status | None = None


class Driver:
    """Deals trials, hears their reports and closes them, each once, whoever tells first."""

    def __init__(
        self,
        plan: Plan,
        store: Store,
        observers: Broadcast,
        *,
        slots: int = 1,
        deadline: float = float("inf"),
    ) -> None:
        self.plan, self.store, self.observers = plan, store, observers
        self.slots, self.deadline = slots, deadline
        self.trials = Trials(store.records(), store.trials())
        self.running: dict[str, Live] = {}
        self.studies = ConfigSampler(plan, self.trials.records, self.trials.dealt)
        self.failure: Exception | None = None
        self.interrupted: int | None = None
        self.limited = False
        self._agenda = Agenda(plan, self.trials)
        self._attempts: Counter[str] = Counter()
        self._heard: dict[str, int] = {}
        """Epochs of trials that broke off; what they passed there is not judged again."""

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles its searcher, scheduler and callbacks; we never read that."""
        return {}

    def finished(self) -> bool:
        """Whether nothing is left to do, before anything is started for it."""
        return isinstance(agenda.due(self._agenda), Finished)

    @property
    def abandoned(self) -> bool:
        """Whether running trials are to be left where they are, to be resumed later."""
        return self.failure is not None or self.interrupted is not None

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Keep an exception for the end of the run: one that reaches Ray kills it without it."""
        try:
            yield
        except Exception as error:
            self.failure = self.failure or error

    def deal(self) -> Deal | Wait | Finished:
        """The next trial, written to the store; or why there is none."""
        if self.abandoned:
            return Finished()
        if len(self.running) >= self.slots:
            return Wait()
        due = agenda.due(self._agenda)
        if not isinstance(due, Finished) and time.monotonic() > self.deadline:
            self.limited = True
            return Finished()
        if isinstance(due, Ask):
            config = self.studies.ask(due)
            due = Deal(agenda.search_spec(self.plan, due, config, self.trials.records))
        if isinstance(due, Deal):
            self._begin(due.spec)
        assert self.running or not isinstance(due, Wait), "the agenda waits while nothing runs"
        return due

    def report(self, key: str, report: dict[str, Any]) -> bool:
        """Take a trial's report, as often as it is told; whether the trial is to be stopped."""
        live = self.running.get(key)
        if live is None or live.status is not None:
            return live is not None
        known = len(live.builder.curve)
        live.builder.add(report)
        for epoch in live.builder.curve[known:]:
            self.observers.on_epoch(live.spec, epoch)
        live.status = report.get("status")
        return live.status is not None or self._stops(live, known)

    def complete(self, key: str) -> None:
        """Close a trial that ended or was stopped; one that was only abandoned has no record."""
        live = self.running.get(key)
        if live is None:
            return
        if live.status is None:
            self._release(key)
        else:
            self._close(live.builder.record(live.status))

    def fault(self, key: str, fault: Fault) -> None:
        """Let a trial that broke off be dealt again, or close it as failed after its retries."""
        live = self.running.get(key)
        if live is None:
            return
        if fault.sweep_error is not None:
            raise fault.sweep_error
        folder = self.store.trial_folder(key)
        folder.error.write(fault.traceback.encode())
        self._attempts[key] += not fault.preempted
        self._heard[key] = len(live.builder.curve)
        if self._attempts[key] <= RETRIES:
            self._release(key)
            return
        past = live.builder.record("failed").train_macs
        spent = CostMeter(folder.spent, live.spec.inherited_macs).train_macs().spent
        live.builder.add({"train_macs": past.model_copy(update={"spent": spent})})
        self._close(live.builder.record("failed", fault.error))

    def _begin(self, spec: TrialSpec) -> None:
        dense = self.trials.records.get(spec.inputs.get("dense", ""))
        if dense and dense.key not in self.trials.dealt:  # its record is all that is left
            self._write(agenda.dense_spec(self.plan, dense.seed, dense.replicate))
        self._write(spec)
        self.running[spec.key] = Live(spec, RecordBuilder(spec))
        self.trials.begin(spec.key)
        self.observers.on_dealt(spec)

    def _write(self, spec: TrialSpec) -> None:
        if spec.key not in self.trials.dealt:
            self.store.write_trial(spec)
            self.trials.deal(spec)

    def _release(self, key: str) -> None:
        del self.running[key]
        self.trials.release(key)

    def _close(self, record: Record) -> None:
        self.store.write_record(record)
        if record.status != "failed":  # one that failed may be asked to go on
            self.store.trial_folder(record.key).drop_checkpoints()
        self.trials.end(record)
        del self.running[record.key]
        self.observers.on_record(record)

    def _stops(self, live: Live, known: int) -> bool:
        curves = {key: other.builder.curve for key, other in self.running.items()}
        others = rivals(live.spec, self.trials.dealt, self.trials.records, curves)
        if not live.spec.run_on:  # whose note has to be made anew
            known = max(known, self._heard.get(live.spec.key, 0))
        at = stop_at(live.spec, known, live.builder.curve, others, self.plan.early_stopping)
        if at is None:
            return False
        if live.spec.run_on:
            live.builder.add({"would_stop_at": at})
            return False
        live.status = "stopped"
        return True
