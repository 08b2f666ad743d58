"""The forest plot: the difference of two arms in several sweeps, one line per comparison."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from prunetune.analysis.format import p_value, points
from prunetune.analysis.page.figures.axes import NARROW, WIDE
from prunetune.analysis.page.figures.svg import (
    Scale,
    drawing,
    mark,
    segment,
    shortened,
    text,
    text_width,
    title,
)

_LINE, _TOP, _BOTTOM = 22.0, 42.0, 48.0


@dataclass(frozen=True)
class Effect:
    """One comparison of one sweep: a minus b."""

    sweep: str
    label: str
    whole: bool
    """Whether it is over all budgets of the sweep."""
    difference: float
    low: float | None
    high: float | None
    p: float | None
    winner: int | None
    """The number of the arm that wins; None where that is not settled."""
    ahead: int
    """The number of the arm that is ahead."""
    verdict: str


def forest_svg(a: str, b: str, effects: Sequence[Effect], width: float) -> str:
    """The figure of a minus b; effects of one sweep follow each other."""
    sweeps = list(dict.fromkeys(effect.sweep for effect in effects))
    height = _TOP + _LINE * (len(effects) + 1.2 * len(sweeps)) + _BOTTOM
    left = 24 + max(text_width(effect.label) for effect in effects)
    left = min(left, 130.0 if width == NARROW else 260.0)
    words = 1.12 * max(text_width(shortened(effect.verdict)) for effect in effects)  # bold is wider
    right = width - (64.0 if width == NARROW else max(190.0, 66 + words))
    reach = _reach(effects)
    x = Scale(-reach, reach, left, right)
    parts = [text(4, 16, f"{a} \N{MINUS SIGN} {b}, points of test accuracy")]
    parts += _axes(x, height)
    at = _TOP + _LINE / 2
    for sweep in sweeps:
        parts.append(text(4, at + 4, sweep, class_="strong"))
        at += _LINE
        for effect in effects:
            if effect.sweep == sweep:
                parts += _line(effect, x, at, width)
                at += _LINE
        at += 0.2 * _LINE
    label = f"Test accuracy of {a} minus that of {b} in {len(sweeps)} sweeps, with intervals."
    return drawing(width, height, label, parts, "forest")


def _line(effect: Effect, x: Scale, at: float, width: float) -> Iterator[str]:
    yield text(16, at + 4, effect.label, class_="strong" if effect.whole else "quiet")
    color = f"arm-{effect.ahead}"
    words = f"{effect.sweep}, {effect.label}: {points(effect.difference)} points"
    if effect.low is not None and effect.high is not None:
        yield segment(x(effect.low), at, x(effect.high), at, f"whisker {color}")
        for end in (effect.low, effect.high):
            if x.low <= end <= x.high:
                yield segment(x(end), at - 4, x(end), at + 4, f"whisker {color}")
        words += f" ({points(effect.low)} to {points(effect.high)}), {p_value(effect.p)}"
    style = "mark effect" if effect.winner is not None else "mark effect hollow"
    tip = title(f"{words}: {effect.verdict}")
    yield mark(x(effect.difference), at, effect.ahead, tip, class_=style)
    yield text(x.end + 8, at + 4, points(effect.difference), class_="number")
    if width == WIDE:
        settled = "strong" if effect.winner is not None else "quiet"
        yield text(x.end + 62, at + 4, shortened(effect.verdict), class_=settled)


def _axes(x: Scale, height: float) -> Iterator[str]:
    bottom = height - _BOTTOM
    for tick in x.ticks(6):
        yield segment(x(tick), _TOP - 10, x(tick), bottom, "axis" if tick == 0 else "grid")
        label = f"{100 * tick:+.3g}".replace("-", "\N{MINUS SIGN}") if tick else "0"
        yield text(x(tick), bottom + 17, label, text_anchor="middle", class_="tick")
    middle = (x.start + x.end) / 2
    yield text(middle, bottom + 36, "difference, points", text_anchor="middle")


def _reach(effects: Sequence[Effect]) -> float:
    """Half the range of the x axis; wide intervals are cut off so that differences stay apart."""
    differences = [abs(effect.difference) for effect in effects]
    ends = [abs(end) for e in effects for end in (e.low, e.high) if end is not None]
    return 1.05 * min(max([*ends, *differences, 0.001]), max(4 * max(differences), 0.01))
