"""Recipes as parallel coordinates: one line per trial through its searched values."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from prunetune.analysis.page.figures.axes import WIDE, stamp
from prunetune.analysis.page.figures.svg import arm_class, drawing, segment, tag, text, title
from prunetune.analysis.page.points import short, written
from prunetune.analysis.page.view import PageView
from prunetune.config.space.space import Choice, Dimension
from prunetune.records.record import Record

_MOST_LINES = 80
"""Trials drawn per arm: the best of each study; more cannot be told apart."""
_MANY_WINNERS = 12
"""With more winners than this, thick lines would cover the figure."""
_TOP, _HEIGHT, _EDGE = 44.0, 170.0, 70.0
_ACCURACY = "val accuracy"
_ABSENT = -0.11
"""The place of a trial that does not have the value, below the foot of the rail."""


@dataclass(frozen=True)
class Rail:
    """One vertical axis: the quantity, and where each value lies between 0 and 1."""

    path: str
    places: dict[str, float]
    """The place of every value that is drawn, by its text."""
    ends: tuple[str, str]
    options: tuple[str, ...] = ()
    absent: bool = False
    """Whether some trial does not have the value."""


def parallel_svg(view: PageView, arm: str) -> str | None:
    """The recipes of one arm; None where fewer than two values are searched or nothing has run."""
    trials, winners = _trials(view, arm)
    rails = _rails(view, arm, trials)
    if len(rails) < 3 or len(trials) < 2:  # two quantities and the accuracy
        return None
    step = (WIDE - 2 * _EDGE) / (len(rails) - 1)
    at = {rail.path: _EDGE + i * step for i, rail in enumerate(rails)}
    color = arm_class(view.arm(arm))
    parts: list[str] = []
    for record in sorted(trials, key=lambda r: r.key in winners):
        strong = "winner" if len(winners) <= _MANY_WINNERS else "winner fine"
        style = f"recipe {strong}" if record.key in winners else "recipe"
        tip = _tip(view, record)
        parts.append(
            tag(
                "path",
                title(tip),
                d=_path(rails, at, record),
                class_=f"{style} {color}",
            )
        )
    for i, rail in enumerate(rails):
        parts += _rail(rail, at[rail.path], i % 2 == 1 and step < 90)
    height = _TOP + _HEIGHT + 34 + 13 * len(view.rung())
    parts += stamp(WIDE, height, view.rung())
    label = (
        f"Recipes of {arm}: each line is a search trial, from its searched values to its "
        "validation accuracy; winners of their studies are thick."
    )
    return drawing(WIDE, height, label, parts, "parallel")


def _trials(view: PageView, arm: str) -> tuple[list[Record], set[str]]:
    """The trials to draw, and the keys of the winners among them."""
    studies = {row.study: row.winner for row in view.rows if row.arm == arm}
    groups: dict[str, list[Record]] = {study: [] for study in studies}
    for record in view.searches:
        if record.study in groups and record.val_acc1 is not None:
            groups[record.study].append(record)
    each = max(2, _MOST_LINES // max(len(groups), 1))
    drawn = []
    for group in groups.values():
        ordered = sorted(group, key=lambda r: (-(r.val_acc1 or 0.0), r.key))
        drawn += ordered[:each]
        drawn += [r for r in ordered[each:] if r.key in studies.values()]
    return drawn, {key for key in studies.values() if key}


def _rails(view: PageView, arm: str, trials: Sequence[Record]) -> list[Rail]:
    dimensions: dict[str, Dimension] = {}
    for study in view.plan.studies:
        if study.arm == arm:
            dimensions |= {d.path: d for d in study.space.dimensions if d.searched}
    rails = []
    for path, dimension in dimensions.items():
        values = [r.config[path] for r in trials if path in r.config]
        if len(set(map(str, values))) > 1:
            rails.append(_rail_of(path, dimension, values, len(values) < len(trials)))
    if not trials:
        return []
    accuracies = sorted({r.val_acc1 or 0.0 for r in trials})
    places = _spread([str(a) for a in accuracies], accuracies)
    ends = (f"{view.percent(accuracies[0])} %", f"{view.percent(accuracies[-1])} %")
    return [*rails, Rail(_ACCURACY, places, ends)]


def _rail_of(path: str, dimension: Dimension, values: Sequence[Any], absent: bool) -> Rail:
    domain = dimension.domain
    if isinstance(domain, Choice) or not all(isinstance(v, int | float) for v in values):
        options = list(dict.fromkeys(map(str, values)))
        if isinstance(domain, Choice):
            options = [str(o) for o in domain.options if str(o) in options]
        places = {o: (i + 0.5) / len(options) for i, o in enumerate(options)}
        return Rail(path, places, ("", ""), tuple(options), absent)
    numbers = sorted(set(values))
    log = bool(getattr(domain, "log", False)) and numbers[0] > 0
    scaled = [math.log(v) if log else float(v) for v in numbers]
    places = _spread(list(map(str, numbers)), scaled)
    return Rail(path, places, (written(numbers[0]), written(numbers[-1])), absent=absent)


def _spread(names: Sequence[str], values: Sequence[float]) -> dict[str, float]:
    low, span = min(values), max(values) - min(values)
    return {n: (v - low) / span if span else 0.5 for n, v in zip(names, values, strict=True)}


def _place(rail: Rail, record: Record) -> float:
    """Where a trial crosses a rail: below its foot if the trial does not have the value."""
    value = record.val_acc1 or 0.0 if rail.path == _ACCURACY else record.config.get(rail.path)
    return rail.places.get(str(value), _ABSENT)


def _path(rails: Sequence[Rail], at: dict[str, float], record: Record) -> str:
    corners = [(at[r.path], _place(r, record)) for r in rails]
    return "M" + "L".join(f"{x:.1f},{_TOP + _HEIGHT * (1 - p):.1f}" for x, p in corners)


def _rail(rail: Rail, at: float, lower: bool) -> Iterator[str]:
    yield segment(at, _TOP, at, _TOP + _HEIGHT, "axis")
    name = rail.path if rail.path == _ACCURACY else short(rail.path)
    name = name if len(name) <= 22 else f"…{name[-21:]}"
    yield text(at, _TOP - (8 if lower else 24), name, text_anchor="middle", class_="strong small")
    for option in rail.options:
        height = _TOP + _HEIGHT * (1 - rail.places[option]) + 4
        shown = option if len(option) <= 16 else f"{option[:15]}…"
        yield text(at + 5, height, shown, class_="halo small")
    foot = _TOP + _HEIGHT
    for end, height in zip(rail.ends, (foot - 2, _TOP + 9), strict=True):
        yield text(at + 5, height, end, class_="halo small quiet")
    if rail.absent:
        yield text(at + 5, foot - _HEIGHT * _ABSENT + 4, "not used", class_="halo small quiet")


def _tip(view: PageView, record: Record) -> str:
    lines = [f"{record.study}, trial {record.number}: val {view.percent(record.val_acc1)} %"]
    space = view.plan.study(record.study or "").space
    lines += [f"{short(p)}: {written(v)}" for p, v in space.searched(record.config).items()]
    return "\n".join([*lines, f"key {record.key}"])
