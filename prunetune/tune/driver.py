"""The state of a running sweep, shared by Ray's searcher, scheduler and callback.

Plain Python. The agenda says what is due. The driver writes a trial to the store before it runs,
and its record before any observer hears of its end.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from prunetune import agenda
from prunetune.agenda import Agenda, Ask, Deal, Finished, Trials, Wait
from prunetune.plan import Plan
from prunetune.records.cost_meter import read_spent
from prunetune.records.folders import TrialFolder
from prunetune.records.record import Record, Status, TrialSpec
from prunetune.records.record_builder import RecordBuilder
from prunetune.records.running_time import RunningTime
from prunetune.records.store import Store
from prunetune.records.trial_outcome import TrialOutcome
from prunetune.tune.breaks import BreakLog
from prunetune.tune.callbacks import Broadcast
from prunetune.tune.faults import Fault
from prunetune.tune.rungs import rivals, stop_at
from prunetune.tune.sampling import ConfigSampler

_READ_AGAIN = 64
"""How many records are kept in full of those that trials start from: dense networks, winners."""


@dataclass
class RunningTrial:
    """A trial that was dealt and has no record yet."""

    spec: TrialSpec
    builder: RecordBuilder
    status: Status | None = None


class Driver:
    """Deals trials, takes their reports and closes each once, whichever adapter calls first."""

    def __init__(
        self,
        plan: Plan,
        store: Store,
        observers: Broadcast,
        *,
        slots: int = 1,
    ) -> None:
        self.plan, self.store, self.observers = plan, store, observers
        self.slots = slots
        self.time = RunningTime(store.running_time)
        ended = {record.key: TrialOutcome.of(record) for record in store.each_record()}
        read = lru_cache(_READ_AGAIN)(store.record)
        self.trials = Trials(ended, store.trials(without=ended), read=read)
        self._with_trial: set[str] = set()
        """Dense networks whose trial is known to lie in the storage, where workers read it."""
        self.running: dict[str, RunningTrial] = {}
        self._sampler = ConfigSampler(plan, self.trials.records, self.trials.dealt)
        self.failure: Exception | None = None
        self.interrupted: int | None = None
        self.limited = False
        self._agenda = Agenda(plan, self.trials)
        self._judged: dict[str, int] = {}
        """Epochs of trials that broke off; a rung within them is not judged again."""

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles its searcher, scheduler and callbacks; we never read that."""
        return {}

    def finished(self) -> bool:
        """Whether nothing is due; asked before Ray is started."""
        return isinstance(agenda.due(self._agenda), Finished)

    @property
    def abandoned(self) -> bool:
        """Whether running trials are left as they are, to be resumed by a later run."""
        return self.failure is not None or self.interrupted is not None

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Keep an exception for the end of the run; in Ray it would kill the run and be lost."""
        try:
            yield
        except Exception as error:
            self.failure = self.failure or error

    def deal(self) -> Deal | Wait | Finished:
        """The next trial, written to the store, or the reason why there is none."""
        if self.abandoned:
            return Finished()
        self.time.go_on()
        if len(self.running) >= self.slots:
            return Wait()
        due = agenda.due(self._agenda)
        if not isinstance(due, Finished) and self._out_of_time():
            self.limited = True
            due = Finished()
        if isinstance(due, Ask):
            config = self._sampler.ask(due)
            records = self.trials.in_full(due.inputs.values())
            due = Deal(agenda.search_spec(self.plan, due, config, records))
        if isinstance(due, Deal):
            self._begin(due.spec)
        if isinstance(due, Finished):
            self.time.save()
        assert self.running or not isinstance(due, Wait), "the agenda waits while nothing runs"
        return due

    def report(self, key: str, report: dict[str, Any]) -> bool:
        """Take a trial's report, which may come twice; return whether to stop the trial."""
        trial = self.running.get(key)
        if trial is None or trial.status is not None:
            return trial is not None
        self.time.go_on()
        known = len(trial.builder.curve)
        trial.builder.add(report)
        for epoch in trial.builder.curve[known:]:
            self.observers.on_epoch(trial.spec, epoch)
        trial.status = report.get("status")
        return trial.status is not None or self._stops(trial, known)

    def complete(self, key: str) -> None:
        """Close a trial that ended or was stopped; an abandoned trial gets no record."""
        trial = self.running.get(key)
        if trial is None:
            return
        if trial.status is None:
            self._release(key)
        else:
            self._close(trial.builder.record(trial.status))

    def fault(self, key: str, fault: Fault) -> None:
        """Release a trial that broke off to be dealt again; after its retries it has failed."""
        trial = self.running.get(key)
        if trial is None:
            return
        if trial.status is not None:  # it had ended before its worker did
            self.complete(key)
            return
        if fault.sweep_error is not None:
            raise fault.sweep_error
        folder = self.store.trial_folder(key)
        fault = _hung(folder, fault) if fault.died else fault
        folder.error.write(fault.traceback.encode())
        self._judged[key] = len(trial.builder.curve)
        spent = read_spent(folder.spent)
        progress = len(trial.builder.curve) + (spent.progress if spent else 0)
        breaks = BreakLog(folder.breaks)
        breaks.add(fault.kind, fault.error, progress)
        if not breaks.exhausted:
            self._release(key)
            return
        if spent is not None:
            macs = trial.builder.record("failed").train_macs
            trial.builder.add({"train_macs": macs.model_copy(update={"spent": spent.macs})})
        assert fault.kind != "preemption"
        trial.builder.add({"failed_by": fault.kind})
        self._close(trial.builder.record("failed", breaks.verdict()))

    def _begin(self, spec: TrialSpec) -> None:
        if dense := spec.inputs.get("dense"):
            self._write_trial_of(dense)
        if spec.key not in self.trials.dealt:
            self.store.write_trial(spec)
            self.trials.deal(spec)
        self.running[spec.key] = RunningTrial(spec, RecordBuilder(spec))
        self.trials.begin(spec.key)
        self.observers.on_dealt(spec)

    def _write_trial_of(self, dense: str) -> None:
        """Write the trial of a dense network of which only the record was kept."""
        if dense in self._with_trial:
            return
        if not self.store.trial_folder(dense).trial.exists():
            record = self.trials.in_full([dense])[dense]
            self.store.write_trial(agenda.spec_of_dense(self.plan, record))
        self._with_trial.add(dense)

    def _release(self, key: str) -> None:
        del self.running[key]
        self.trials.release(key)

    def _close(self, record: Record) -> None:
        self.store.write_record(record)
        self.time.go_on()
        if record.status != "failed":  # --retry-failed goes on from the checkpoint
            self.store.trial_folder(record.key).drop_checkpoints()
        self.trials.end(TrialOutcome.of(record))
        del self.running[record.key]
        self.observers.on_record(record)

    def _out_of_time(self) -> bool:
        hours = self.plan.limits.get("hours")
        return hours is not None and self.time.seconds >= 3600 * hours

    def _stops(self, trial: RunningTrial, known: int) -> bool:
        running = ((key, other.builder.accuracies) for key, other in self.running.items())
        others = rivals(trial.spec, self.trials.dealt, self.trials.records, running)
        if not trial.spec.run_on:  # `would_stop_at` of a trial that runs on is determined anew
            known = max(known, self._judged.get(trial.spec.key, 0))
        asha = self.plan.stopping(self.plan.study(trial.spec.study)) if trial.spec.study else None
        at = stop_at(trial.spec, known, trial.builder.accuracies, others, asha)
        if at is None:
            return False
        if trial.spec.run_on:
            trial.builder.add({"would_stop_at": at})
            return False
        trial.status = "stopped"
        return True


def _hung(folder: TrialFolder, fault: Fault) -> Fault:
    """The fault of a worker that died: a hang, if the worker ended itself because of one."""
    if not folder.hang.exists():
        return fault
    text = folder.hang.read().decode(errors="replace")
    folder.hang.delete()
    return replace(fault, hung=True, error=text.partition("\n")[0], traceback=text)
