"""Prints forecasts, states and parts as tables on the terminal."""

from __future__ import annotations

from collections.abc import Container, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from prunetune.analysis.format import percent, plural, rough_duration
from prunetune.cli.about import HEADINGS, columns
from prunetune.records.record import PHASES

if TYPE_CHECKING:
    from prunetune.sweep.forecast import Forecast, StudyForecast
    from prunetune.sweep.status import StudyStatus, SweepStatus

_PIPE_WIDTH = 140
"""Width in a file or pipe, so that a table row keeps to one line."""
_MOST_TRIALS = 20
"""At most so many unfinished trials are listed."""


def table_console() -> Console:
    """A console as wide as the terminal, or in a file wide enough for a row a line."""
    console = Console(highlight=False, soft_wrap=True)
    return console if console.is_terminal else Console(width=_PIPE_WIDTH, highlight=False)


def print_forecast(forecast: Forecast) -> None:
    """Print what `prunetune plan` says."""
    console = table_console()
    if forecast.question:
        console.print(forecast.question, markup=False)
    dense = f"{forecast.dense_macs:,} MACs, {forecast.dense_params:,} parameters"
    console.print(f"dense {forecast.model}: {dense}")
    for sentence in forecast.sentences():
        console.print(sentence, markup=False, soft_wrap=True)
    console.print(forecast_table(forecast))
    console.print(_cost(forecast), markup=False)
    if forecast.rough:
        console.print(_rough_table(forecast))
    compared = plural(len(forecast.family), "comparison")
    lost = len(forecast.impossible)
    cannot = f"; {lost} more cannot take place, but count in their correction" if lost else ""
    console.print(
        f"plan {forecast.hash}; family: {compared} at single budgets{cannot}", markup=False
    )
    for sentence in forecast.power:
        console.print(sentence, markup=False)
    for note in forecast.notes:
        console.print(note, markup=False, soft_wrap=True)
    for row in forecast.rows:
        if row.sparsify_epochs:
            console.print(
                f"{row.study}: and up to {row.sparsify_epochs:,} epochs of sparsifying at dense "
                "MACs, counted in training MACs; trials that share a sparsified network train it "
                "once",
                markup=False,
            )
        _print_reach(console, row)


def _cost(forecast: Forecast) -> str:
    time = (
        f"{timedelta(seconds=round(forecast.seconds))} on one slot ({forecast.timed_by})"
        if forecast.seconds is not None
        else "not measured here yet (--timed measures 20 steps; finished trials tell more)"
    )
    return (
        f"in all, if no trial is stopped early: {forecast.trials:,} trials, "
        f"{forecast.epochs:,} epochs, {forecast.train_macs:.3e} training MACs; time: {time}"
    )


def forecast_table(forecast: Forecast) -> Table:
    """A line for each study; what it cannot meet is said below."""
    phases = _phases({p for row in forecast.rows for p, n in row.trials.items() if n})
    each = "epochs\neach"
    table = _study_table(None, "target MACs", phases, each, "epochs", "training\nMACs")
    for row in forecast.rows:
        trials = " + ".join(str(n) for phase in PHASES if (n := row.trials.get(phase, 0)))
        cells = (f"{row.target_macs:,}", trials, str(row.epochs_each), f"{row.epochs:,}")
        table.add_row(row.study, *cells, f"{row.train_macs:.3e}")
    return table


def _study_table(title: str | None, *numbers: str) -> Table:
    """A table of studies with columns of numbers; a name too long for the terminal is folded."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False)
    table.add_column("study", overflow="fold")
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _phases(found: Container[str]) -> str:
    """The heading of cells like `4 + 5`: the phases of studies; dense networks have a row."""
    return "\n+ ".join(phase for phase in PHASES if phase in found and phase != "dense")


def _rough_table(forecast: Forecast) -> Table:
    title = "ROUGH times, never measured here: within a factor of about three"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False)
    table.add_column("trials run one at a time on", no_wrap=True)
    for heading in (
        "dense epochs\nan hour",
        "epochs an hour at\nthe smallest budget",
        "whole sweep",
    ):
        table.add_column(heading, justify="right")
    for row in forecast.rough:
        epochs = (row.dense_epochs_per_hour, row.smallest_epochs_per_hour)
        cells = (f"{float(f'{each:.1e}'):,.0f}" for each in epochs)
        table.add_row(row.device, *cells, rough_duration(row.seconds))
    return table


def _print_reach(console: Console, row: StudyForecast) -> None:
    """Print the budgets that a scope cannot meet, each with the nearest MACs that it can."""
    for reach in row.reach:
        if not reach.within:
            console.print(
                f"{row.study}: {reach.scope} cannot meet {row.target_macs:,} MACs; nearest "
                f"{reach.nearest_macs:,}, smallest {reach.smallest_macs:,}",
                markup=False,
            )
    if row.infeasible:
        console.print(f"{row.study} will not run: {row.infeasible}", markup=False)
        console.print(f"  what to do: {row.cure}", markup=False)


def print_status(status: SweepStatus) -> None:
    """Print what `prunetune status` says."""
    console = table_console()
    console.print(status_table(status))
    if status.unfinished:
        state = "run" if status.running else "have begun and go on when the sweep does"
        console.print(f"{status.unfinished} trials {state}")
        for trial in status.trials[:_MOST_TRIALS]:
            console.print(f"  {trial.sentence()}", markup=False, soft_wrap=True)
        if status.unfinished > _MOST_TRIALS:
            console.print(f"  and {status.unfinished - _MOST_TRIALS} more (--json lists all)")
    for doubt in status.doubts:
        console.print(doubt, markup=False, soft_wrap=True)
    for study in status.studies:
        for reason, count in study.closed.items():
            console.print(f"{study.study}: {count} closed: {reason}", markup=False)


def status_table(status: SweepStatus) -> Table:
    """A line for each study: its trials done and owed, its winner, and other ends if any."""
    studies = status.studies
    owed = {phase for study in studies for phase, (_, n) in study.phases.items() if n}
    others = [_other_ends(study) for study in studies]
    columns = [_phases(owed), "best\nval acc1", "confirmed\ntest acc1"]
    title = f"{status.sweep}  {status.done}/{status.owed}"
    table = _study_table(title, *columns, *(["ended\notherwise"] if any(others) else []))
    for study, other in zip(studies, others, strict=True):
        table.add_row(study.study, *_status_cells(study), *([other] if any(others) else []))
    return table


def _status_cells(study: StudyStatus) -> tuple[str, ...]:
    counts = [study.phases.get(phase, (0, 0)) for phase in PHASES]
    done = " + ".join(f"{done}/{owed}" for done, owed in counts if owed)
    confirmed = f"{percent(study.confirm_acc1)} (n={study.confirm_n})" if study.confirm_acc1 else ""
    best = percent(study.val_acc1) if study.val_acc1 is not None else ""
    return (done, best, confirmed)


def _other_ends(study: StudyStatus) -> str:
    return "\n".join(f"{n} {end}" for end, n in study.ended.items() if end != "completed" and n)


def print_parts(rows: Sequence[dict[str, str]]) -> None:
    """Print what `prunetune list` says of parts that name their paper."""
    facts = columns(rows)
    table = Table(show_lines=True)
    for fact in facts:
        table.add_column(HEADINGS[fact], no_wrap=fact == "name")
    for row in rows:
        table.add_row(*(Text(row.get(fact, "")) for fact in facts))
    table_console().print(table)


def parts_text() -> str:
    """All parts by kind, each with its parameters and their defaults."""
    from prunetune.config.file.schema import field_lines
    from prunetune.registry import KINDS

    lines = []
    for kind, registry in KINDS.items():
        lines.append(f"{kind}:")
        for name in registry.names():
            entry = registry.get(name)
            lines.append(f"  {name}:  # {entry.summary}" if entry.summary else f"  {name}:")
            lines += [f"    {line}" for line in field_lines(entry.params)]
    return "\n".join(lines)
