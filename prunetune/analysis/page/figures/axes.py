"""The quantities that a figure can have on its x axis, and the frame around a figure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from prunetune.analysis.evidence.frontier import FrontierRow
from prunetune.analysis.format import count
from prunetune.analysis.page.figures.svg import Scale, segment, text, text_width
from prunetune.analysis.page.latency_table import latency_of_study
from prunetune.analysis.page.prices import PRICES, training_of_one
from prunetune.analysis.page.view import PageView, budget_name
from prunetune.config.budget import kind_of_budget

_SMALL, _LINE = 10.5 / 12, 13.0
_MOST_LATENCIES = 6
"""Latencies that the frontier offers; the tables have all."""
WIDE, NARROW = 760.0, 380.0
"""Widths of figures in pixels: on a desktop and in print, and on a phone."""


@dataclass(frozen=True)
class Axis:
    """A quantity of a study, drawn on a log scale."""

    name: str
    words: str
    """The quantity as the switch names it."""
    label: str
    value: Callable[[FrontierRow], float | None]
    dense: float | None
    """The dense network's value."""
    price: str | None = None
    """How the dense network's training is charged, where that matters."""


def axes(view: PageView) -> list[Axis]:
    """Every quantity that this sweep knows of its studies."""
    plan = view.plan
    known = [
        Axis("macs", "MACs", "MACs per image, achieved", lambda r: r.macs, plan.dense.macs),
        Axis("params", "parameters", "parameters", lambda r: r.params, plan.dense.params),
    ]
    for price in PRICES:
        known.append(
            Axis(
                "training",
                "training MACs",
                f"training MACs of one network, dense {price.words}",
                lambda row, price=price: training_of_one(view, row, price),  # type: ignore[misc]
                None,
                price.name,
            )
        )
    return [*known, *_latency_axes(view)]


def _latency_axes(view: PageView) -> Iterator[Axis]:
    """Latency at each batch under each set of conditions, if networks of studies were timed."""
    timed = [row for row in view.report.latencies if row.study != "dense"]
    settings = dict.fromkeys((row.conditions, row.batch) for row in timed)
    several = len({conditions for conditions, _ in settings}) > 1
    for number, (conditions, batch) in enumerate(list(settings)[:_MOST_LATENCIES]):
        latency = partial(latency_of_study, view, conditions, batch)
        yield Axis(
            f"latency{number}",
            f"latency, batch {batch}" + (f", {conditions}" if several else ""),
            f"milliseconds an image, batch {batch} ({conditions})",
            lambda row, latency=latency: latency(row.study),  # type: ignore[misc]
            latency("dense"),
        )


@dataclass(frozen=True)
class Frame:
    """The rectangle of a figure's data, and the figure around it."""

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float

    def x(self, low: float, high: float, log: bool = False) -> Scale:
        """A scale from the left edge to the right one."""
        return Scale(low, high, self.left, self.right, log)

    def y(self, low: float, high: float, log: bool = False) -> Scale:
        """A scale from the bottom edge to the top one."""
        return Scale(low, high, self.bottom, self.top, log)

    def x_axis(self, scale: Scale, ticks: Sequence[tuple[float, str]], label: str) -> Iterator[str]:
        """Grid lines with their values, as many as find room, and the axis with its name."""
        taken = -1e9
        for value, words in ticks:
            at = scale(value)
            yield segment(at, self.top, at, self.bottom, "grid")
            half = max(map(len, words.split("\n"))) * 3.3
            if at - half < taken + 6 or at + half > self.width:
                continue
            taken = at + half
            for line, part in enumerate(words.split("\n")):
                quiet = "quiet" if line else None
                y = self.bottom + 16 + 14 * line
                yield text(at, y, part, text_anchor="middle", class_=quiet)
        yield segment(self.left, self.bottom, self.right, self.bottom, "axis")
        lines = max((words.count("\n") for _, words in ticks), default=0)
        middle, below = (self.left + self.right) / 2, self.bottom + 36 + 14 * lines
        yield text(middle, below, label, text_anchor="middle")

    def y_axis(self, scale: Scale, ticks: Sequence[tuple[float, str]], label: str) -> Iterator[str]:
        """Grid lines with their values, and the name of the axis above them."""
        taken = 1e9
        for value, words in sorted(ticks):
            at = scale(value)
            yield segment(self.left, at, self.right, at, "grid")
            if taken - at >= _LINE:
                taken = at
                yield text(self.left - 8, at + 4, words, text_anchor="end")
        yield text(4, self.top - 12, label)

    def stamp(self, words: Sequence[str]) -> Iterator[str]:
        """The rung of the comparison, at the foot of the figure."""
        yield from stamp(self.width, self.height, words)


def stamp(width: float, height: float, words: Sequence[str]) -> Iterator[str]:
    """The lines of the rung at the foot of a figure, broken at semicolons where they are long."""
    lines = stamp_lines(width, words)
    for i, line in enumerate(lines):
        y = height - 6 - 13 * (len(lines) - 1 - i)
        yield text(width - 4, y, line, text_anchor="end", class_="quiet stamp")


def stamp_lines(width: float, words: Sequence[str]) -> list[str]:
    """The lines of `stamp`."""
    lines = []
    for line in words:
        parts = line.split("; ") if text_width(line) * _SMALL > width else [line]
        lines += parts
    return lines


def log_ticks(scale: Scale) -> list[tuple[float, str]]:
    """Round values of a log scale as large numbers: `20 M`."""
    return [(value, count(value)) for value in scale.ticks()]


def budget_ticks(view: PageView, scale: Scale) -> list[tuple[float, str]]:
    """The budgets of a sweep as shares of the dense MACs, with the MACs below."""
    shares = {
        s.target_macs: budget_name(s.budget)
        for s in view.plan.studies
        if kind_of_budget(s.budget) == "macs"
    }
    shares[view.plan.dense.macs] = "100 %"
    inside = [macs for macs in sorted(shares) if scale.low <= macs <= scale.high]
    return [(float(macs), f"{shares[macs]}\n{count(macs)}") for macs in inside]
