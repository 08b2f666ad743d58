"""Each point of the frontier: the words of its tooltip, and how to make it again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from prunetune.analysis.evidence.frontier import FrontierRow
from prunetune.analysis.format import NOTHING
from prunetune.analysis.page.view import PageView
from prunetune.plan import MASKED


@dataclass(frozen=True)
class PointEntry:
    """How to reproduce one point: the trials behind it, and the recipe to the last value."""

    anchor: str
    study: str
    arm: str
    measured: str
    winner: str | None
    """Key of the search trial that won."""
    confirms: tuple[tuple[int, str, str], ...]
    """(seed, key, accuracy or end) of each confirm trial."""
    recipe: tuple[tuple[str, str], ...]
    config: tuple[tuple[str, str], ...]
    """Every value of the configuration, constants and defaults included."""


def tip_of(view: PageView, row: FrontierRow) -> str:
    """The words of a point's tooltip, one fact a line."""
    lines = [row.study, view.measured(row), view.share(row.macs)]
    if row.masked:
        lines.append(MASKED)
    lines += [f"{short(path)}: {value}" for path, value in searched(view, row)]
    if row.winner:
        lines.append(f"key {row.winner} (trial {row.winner_number})")
    return "\n".join(lines)


def searched(view: PageView, row: FrontierRow) -> list[tuple[str, str]]:
    """(path, value) of everything in the winner's recipe that was searched."""
    winner = view.records.get(row.winner or "")
    if winner is None:
        return []
    values = view.plan.study(row.study).space.searched(winner.config)
    return [(path, written(value)) for path, value in values.items()]


def point_entries(view: PageView) -> list[PointEntry]:
    """An entry for every study that has a winner or a confirm trial."""
    return [_entry(view, row) for row in view.rows if row.winner or row.study in view.confirms]


def _entry(view: PageView, row: FrontierRow) -> PointEntry:
    confirms = view.confirms.get(row.study, [])
    winner = view.records.get(row.winner or "")
    config = winner.config if winner else {}
    return PointEntry(
        view.anchors[row.study],
        row.study,
        row.arm,
        view.measured(row) if row.test_acc1 is not None else row.state,
        row.winner,
        tuple(
            (r.seed, r.key, r.status if r.test_acc1 is None else f"{view.percent(r.test_acc1)} %")
            for r in confirms
        ),
        tuple((short(path), value) for path, value in searched(view, row)),
        tuple((path, written(value)) for path, value in sorted(config.items())),
    )


def command(view: PageView) -> str:
    """The command that runs the sweep again, to the same keys."""
    return "prunetune sweep sweep.yaml --storage again"


def short(path: str) -> str:
    """A path without its first word: `optimizer.sgd.lr`."""
    return path.partition(".")[2] or path


def written(value: Any) -> str:
    """A value of a configuration as text."""
    if value is None:
        return NOTHING
    return f"{value:.4g}" if isinstance(value, float) else str(value)
