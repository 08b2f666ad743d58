"""Shows a running sweep: a live table on a terminal, one line for each finished trial in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta

from rich.console import Console
from rich.live import Live
from rich.table import Table

from prunetune.agenda import Agenda, Task, Trials, remaining, status_rows, task_of
from prunetune.analysis.format import percent
from prunetune.plan import Plan
from prunetune.records.record import Epoch, Record, TrialSpec
from prunetune.records.store import Store
from prunetune.records.trial_outcome import TrialOutcome
from prunetune.tune.sweep_table import sweep_table, tally
from prunetune.tune.time_left import TimeLeft

_REFRESH_S = 0.5


class _SteadyConsole(Console):
    """A console whose reader may leave; rich itself would end the process then."""

    def on_broken_pipe(self) -> None:
        self.quiet = True


class SweepConsole:
    """An Observer that prints on `console`, by default standard output."""

    def __init__(self, plan: Plan, store: Store, console: Console | None = None) -> None:
        self._plan = plan
        self._time_left = TimeLeft.of_plan(plan)
        ended: dict[str, TrialOutcome] = {}
        for record in store.each_record():
            self._learn(record, epochs_known=0)
            ended[record.key] = TrialOutcome.of(record)
        self._trials = Trials(ended, store.trials(without=ended))
        self._agenda = Agenda(plan, self._trials)
        self._running: dict[str, tuple[Task, int]] = {}
        """The running trials by key, each with the number of its epochs that are done."""
        self._slots = 1
        self._console = console or _SteadyConsole(highlight=False, soft_wrap=True)
        self._redraws = self._console.is_terminal and not self._console.is_dumb_terminal
        self._live: Live | None = None
        self._refreshed = 0.0
        self._start = time.monotonic()

    def say(self, sentences: Iterable[str]) -> None:
        """Print one line for each sentence, above the table if there is one."""
        with suppress(OSError):  # a full disk, a terminal that was closed
            for sentence in sentences:
                self._console.print(sentence, markup=False, soft_wrap=True)

    def on_dealt(self, spec: TrialSpec) -> None:
        """A trial runs."""
        self._trials.deal(spec)
        self._trials.begin(spec.key)
        self._running[spec.key] = (task_of(self._plan, spec.study, spec.phase), 0)
        self._slots = len(self._running)
        self._refresh()

    def on_epoch(self, spec: TrialSpec, epoch: Epoch) -> None:
        """A running trial has finished an epoch."""
        begun = task_of(self._plan, spec.study, spec.phase), 0
        task, done = self._running.get(spec.key, begun)
        if epoch.epoch > done:
            self._time_left.epoch(task, epoch.seconds)
            self._running[spec.key] = (task, epoch.epoch)
        self._refresh()

    def on_record(self, record: Record) -> None:
        """A trial ended; print a line if there is no table."""
        self._trials.end(TrialOutcome.of(record))
        _, epochs_known = self._running.pop(record.key, (None, 0))
        self._learn(record, epochs_known)
        if self._redraws:
            self._refresh()
        else:
            left = f"  {left}" if (left := self.left()) else ""
            done = tally(status_rows(self._agenda))
            self._console.print(f"{done}  {trial_line(record)}{left}", markup=False, soft_wrap=True)

    def close(self) -> None:
        """Leave the last state of all studies on the terminal."""
        if self._live is not None:
            self._live.vertical_overflow = "visible"  # nothing is drawn over it any more
            self._live.update(self.table(), refresh=True)
            self._live.stop()
            self._live = None

    def table(self, height: int | None = None) -> Table:
        """The state of the studies, with the time left in the caption; see `sweep_table`."""
        elapsed = _duration(time.monotonic() - self._start)
        parts = [f"{len(self._running)} running", f"{elapsed} elapsed", self.left()]
        caption = ", ".join(part for part in parts if part)
        return sweep_table(self._plan.sweep, status_rows(self._agenda), caption, height)

    def left(self) -> str:
        """How long the rest takes, in words; empty while that is unknown, and once all is done."""
        waiting, running = list(remaining(self._agenda)), self._running.values()
        seconds = self._time_left.seconds(waiting, running, self._slots)
        known = seconds is not None and (waiting or running)
        return f"about {_duration(seconds or 0.0)} left" if known else ""

    def _learn(self, record: Record, epochs_known: int) -> None:
        """Learn from a finished trial, of whose epochs the first are known already."""
        task = task_of(self._plan, record.study, record.phase)
        for epoch in record.curve[epochs_known:]:
            self._time_left.epoch(task, epoch.seconds)
        training = sum(epoch.seconds for epoch in record.curve)
        total = record.wall_s.get("total", training)
        self._time_left.ended(task, len(record.curve), total - training)

    def _refresh(self) -> None:
        if not self._redraws or time.monotonic() - self._refreshed < _REFRESH_S:
            return
        self._refreshed = time.monotonic()
        if self._live is None:
            # messages go above the table, unless standard error is a file
            above = sys.stderr.isatty()
            self._live = Live(console=self._console, auto_refresh=False, redirect_stderr=above)
            self._live.start()
        self._live.update(self.table(self._console.height), refresh=True)


def trial_line(record: Record) -> str:
    """A finished trial in one line."""
    parts = [
        *([record.study] if record.study else []),
        record.phase,
        f"#{record.number}" if record.phase == "search" else f"seed {record.seed}",
        record.status,
        f"after {record.epochs}/{record.epochs_planned} epochs",
        *([f"val {percent(record.val_acc1)}"] if record.val_acc1 is not None else []),
        *([f"test {percent(record.test_acc1)}"] if record.test_acc1 is not None else []),
        f"{record.wall_s.get('total', 0.0):.1f} s",
        record.key,
        *([record.error.partition("\n")[0]] if record.error else []),
    ]
    return "  ".join(parts)


def _duration(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
