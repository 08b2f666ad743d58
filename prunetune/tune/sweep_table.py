"""The table of a running sweep: as many studies as the terminal has room for, a line each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich import box
from rich.table import Table

from prunetune.agenda import StatusRow
from prunetune.analysis.format import percent, plural

_FRAME_LINES = 6
"""Title, headings with their rule, the line for hidden studies, caption, and the cursor's line."""
_FEWEST_ROWS = 3


def sweep_table(name: str, rows: Sequence[StatusRow], caption: str, height: int | None) -> Table:
    """The table; each row stays on one line of 80 columns or more.

    Args:
        name: the sweep's name.
        rows: one for each study.
        caption: what stands below the table.
        height: lines of the terminal; None shows every study.
    """
    room = len(rows) if height is None else max(_FEWEST_ROWS, height - _FRAME_LINES)
    shown = _most_telling(rows, room)
    if hidden := len(rows) - len(shown):
        caption = f"and {_summary(rows, shown, hidden)}\n{caption}"
    table = Table(
        title=f"{name}  {tally(rows)}", caption=caption, box=box.SIMPLE_HEAD, show_edge=False
    )
    table.add_column("study", no_wrap=True, overflow="ellipsis")
    for heading in ("done", "run", "best val", "test"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in shown:
        table.add_row(*_cells(row))
    return table


def tally(rows: Iterable[StatusRow]) -> str:
    """The trials that are done, of those that are owed: `17/40`."""
    tallies = [tally for row in rows for tally in row.phases.values()]
    return f"{sum(t.done for t in tallies)}/{sum(t.total - t.closed for t in tallies)}"


def _cells(row: StatusRow) -> tuple[str, ...]:
    failed = row.ended.get("failed")
    return (
        row.study,
        tally([row]) + (f", {failed} failed" if failed else ""),
        str(row.running or ""),
        "" if row.val_acc1 is None else percent(row.val_acc1),
        f"{percent(row.confirm_acc1)} (n={row.confirm_n})" if row.confirm_n else "",
    )


def _most_telling(rows: Sequence[StatusRow], room: int) -> list[StatusRow]:
    """At most `room` rows, in their order: those that run first, then those that have begun."""
    ranked = sorted(range(len(rows)), key=lambda i: (_rank(rows[i]), i))
    return [rows[i] for i in sorted(ranked[:room])]


def _rank(row: StatusRow) -> int:
    if row.running:
        return 0
    done = sum(tally.done for tally in row.phases.values())
    return 3 if _is_over(row) else 1 if done else 2


def _is_over(row: StatusRow) -> bool:
    return all(tally.done + tally.closed == tally.total for tally in row.phases.values())


def _summary(rows: Sequence[StatusRow], shown: Sequence[StatusRow], hidden: int) -> str:
    over = sum(map(_is_over, rows)) - sum(map(_is_over, shown))
    done = f"{over} of them done" if over else "none of them done"
    return f"{plural(hidden, 'more study')}, {done}"
