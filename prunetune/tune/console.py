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

from prunetune.agenda import Agenda, StatusRow, Trials, counts, status_rows
from prunetune.analysis.format import percent
from prunetune.plan import Plan
from prunetune.records.record import Epoch, Record, TrialSpec
from prunetune.records.store import Store

_REFRESH_S = 0.5


class _SteadyConsole(Console):
    """A console whose reader may leave; rich itself would end the process then."""

    def on_broken_pipe(self) -> None:
        self.quiet = True


class SweepConsole:
    """An Observer that prints on `console`, by default standard output."""

    def __init__(self, plan: Plan, store: Store, console: Console | None = None) -> None:
        self._plan = plan
        self._trials = Trials(store.records(), store.trials())
        self._agenda = Agenda(plan, self._trials)
        self._running: dict[str, int] = {}
        self._console = console or _SteadyConsole(highlight=False, soft_wrap=True)
        self._live: Live | None = None
        self._refreshed = 0.0
        self._start = time.monotonic()
        self._epochs_planned = counts(plan).total.epochs
        self._epochs_before = self._epochs_settled()

    def say(self, sentences: Iterable[str]) -> None:
        """Print one line for each sentence, above the table if there is one."""
        with suppress(OSError):  # a full disk, a terminal that was closed
            for sentence in sentences:
                self._console.print(sentence, markup=False, soft_wrap=True)

    def on_dealt(self, spec: TrialSpec) -> None:
        """A trial runs."""
        self._trials.deal(spec)
        self._trials.begin(spec.key)
        self._running[spec.key] = 0
        self._refresh()

    def on_epoch(self, spec: TrialSpec, epoch: Epoch) -> None:
        """A running trial has finished an epoch."""
        self._running[spec.key] = epoch.epoch
        self._refresh()

    def on_record(self, record: Record) -> None:
        """A trial ended; print a line if there is no table."""
        self._trials.end(record)
        self._running.pop(record.key, None)
        if self._console.is_terminal:
            self._refresh()
        else:
            rows = status_rows(self._agenda)
            self._console.print(f"{_done(rows)}  {trial_line(record)}", markup=False)

    def close(self) -> None:
        """Leave the last state of the table on the terminal."""
        if self._live is not None:
            self._refreshed = 0.0
            self._refresh()
            self._live.stop()

    def table(self) -> Table:
        """The state of every study, with the time left in the caption."""
        rows = status_rows(self._agenda)
        table = Table(title=f"{self._plan.sweep}  {_done(rows)}", caption=self._caption())
        for name in ("study", "done", "running", "best val acc1", "confirmed test acc1"):
            table.add_column(name, justify="left" if name == "study" else "right")
        for row in rows:
            failed = f" ({row.ended['failed']} failed)" if row.ended.get("failed") else ""
            table.add_row(
                row.study,
                f"{_done([row])}{failed}",
                str(row.running or ""),
                "" if row.val_acc1 is None else percent(row.val_acc1),
                f"{percent(row.confirm_acc1)} (n={row.confirm_n})" if row.confirm_n else "",
            )
        return table

    def _refresh(self) -> None:
        if not self._console.is_terminal or time.monotonic() - self._refreshed < _REFRESH_S:
            return
        self._refreshed = time.monotonic()
        if self._live is None:
            # messages go above the table, unless standard error is a file
            above = sys.stderr.isatty()
            self._live = Live(console=self._console, auto_refresh=False, redirect_stderr=above)
            self._live.start()
        self._live.update(self.table(), refresh=True)

    def _caption(self) -> str:
        elapsed = time.monotonic() - self._start
        caption = f"{len(self._running)} running, {_duration(elapsed)} elapsed"
        settled = self._epochs_settled()
        if settled > self._epochs_before and self._epochs_planned > settled:
            pace = elapsed / (settled - self._epochs_before)
            caption += f", about {_duration(pace * (self._epochs_planned - settled))} left"
        return caption

    def _epochs_settled(self) -> int:
        """Epochs trained or no longer needed; a finished trial counts all that it planned."""
        ended = sum(record.epochs_planned for record in self._trials.records.values())
        return ended + sum(self._running.values())


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


def _done(rows: Iterable[StatusRow]) -> str:
    tallies = [tally for row in rows for tally in row.phases.values()]
    return f"{sum(t.done for t in tallies)}/{sum(t.total - t.closed for t in tallies)}"


def _duration(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
