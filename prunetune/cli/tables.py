"""Tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from rich.console import Console
from rich.table import Table
from rich.text import Text

from prunetune.analysis.format import plural
from prunetune.cli.about import HEADINGS, columns
from prunetune.records.record import PHASES
from prunetune.sweep.forecast import Forecast, StudyForecast
from prunetune.sweep.status import Status, StudyStatus

PIPE_WIDTH = 140
"""Columns where the output is no terminal, so that tables keep one line a row."""


def _console() -> Console:
    console = Console(highlight=False, soft_wrap=True)
    return console if console.is_terminal else Console(width=PIPE_WIDTH, highlight=False)


def print_forecast(found: Forecast) -> None:
    """What `prunetune plan` says."""
    console = _console()
    if found.question:
        console.print(found.question, markup=False)
    console.print(
        f"dense {found.model}: {found.dense_macs:,} MACs, {found.dense_params:,} parameters"
    )
    console.print(_forecast_table(found))
    when = (
        f"{timedelta(seconds=round(found.seconds))} on one slot ({found.timed_by})"
        if found.seconds is not None
        else "unknown: nothing like it has run here yet (--timed measures)"
    )
    console.print(
        f"in all, when nothing is stopped: {found.trials:,} trials, {found.epochs:,} epochs, "
        f"{found.train_macs:.3e} training MACs; time: {when}",
        markup=False,
    )
    told = f"{100 * found.detectable:.2f} points" if found.detectable else "no difference at all"
    family = plural(len(found.family), "comparison")
    console.print(
        f"family: {family}; with these seeds {told} can be detected (power 80 %, level 5 % over "
        "the family, results assumed to spread by 0.2 points)",
        markup=False,
    )
    for row in found.rows:
        if row.sparsify_epochs:
            console.print(
                f"{row.study}: and up to {row.sparsify_epochs:,} epochs of sparsifying at dense "
                "MACs, counted in training MACs; trials that share a sparsified network train it "
                "once",
                markup=False,
            )
        _print_reach(console, row)


def _forecast_table(found: Forecast) -> Table:
    table = Table()
    left = ("study", "can be met under")
    right = ("target MACs", "trials", "epochs each", "epochs", "training MACs")
    for name in (left[0], *right, left[1]):
        table.add_column(name, justify="left" if name in left else "right")
    for row in found.rows:
        trials = " + ".join(f"{n} {phase}" for phase, n in row.trials.items() if n)
        cells = (f"{row.target_macs:,}", trials, str(row.epochs_each), f"{row.epochs:,}")
        scopes = ", ".join(reach.scope for reach in row.reach if reach.within)
        table.add_row(row.study, *cells, f"{row.train_macs:.3e}", scopes)
    return table


def _print_reach(console: Console, row: StudyForecast) -> None:
    """Budgets that some scope cannot meet, with the nearest that it can."""
    for reach in row.reach:
        if not reach.within:
            console.print(
                f"{row.study}: {reach.scope} cannot meet {row.target_macs:,} MACs; nearest "
                f"{reach.nearest_macs:,}, smallest {reach.smallest_macs:,}",
                markup=False,
            )
    if row.infeasible:
        console.print(f"{row.study} will not run: {row.infeasible}", markup=False)


def print_status(found: Status) -> None:
    """What `prunetune status` says."""
    console = _console()
    table = Table(title=f"{found.sweep}  {found.done}/{found.owed}")
    for name in ("study", *PHASES, "best val acc1", "confirmed test acc1", "ended otherwise"):
        table.add_column(name, justify="left" if name == "study" else "right")
    for study in found.studies:
        table.add_row(*_status_cells(study))
    console.print(table)
    if found.unfinished:
        state = "run" if found.running else "were dealt and go on when the sweep does"
        console.print(f"{found.unfinished} trials {state}")
    for study in found.studies:
        for reason, count in study.closed.items():
            console.print(f"{study.study}: {count} closed: {reason}", markup=False)


def _status_cells(study: StudyStatus) -> tuple[str, ...]:
    counts = [study.phases.get(phase, (0, 0)) for phase in PHASES]
    done = [f"{done}/{owed}" if owed else "" for done, owed in counts]
    other = ", ".join(f"{n} {how}" for how, n in study.ended.items() if how != "completed" and n)
    confirmed = (
        f"{100 * study.confirm_acc1:.2f} % (n={study.confirm_n})" if study.confirm_acc1 else ""
    )
    best = f"{100 * study.val_acc1:.2f} %" if study.val_acc1 is not None else ""
    return (study.study, *done, best, confirmed, other)


def print_parts(found: Sequence[dict[str, str]]) -> None:
    """What `prunetune list` says of parts that state where they come from."""
    facts = columns(found)
    table = Table(show_lines=True)
    for fact in facts:
        table.add_column(HEADINGS[fact], no_wrap=fact == "name")
    for row in found:
        table.add_row(*(Text(row.get(fact, "")) for fact in facts))
    _console().print(table)


def parts_text() -> str:
    """Every part with its parameters and their defaults, by kind."""
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
