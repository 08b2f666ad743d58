"""The table of rank measures beside the recipes, every cell as text."""

from __future__ import annotations

from dataclasses import dataclass

from prunetune.analysis.evidence.importances import Importance, importances
from prunetune.analysis.page.figures.svg import arm_class, drawing, segment, tag
from prunetune.analysis.page.points import short
from prunetune.analysis.page.view import PageView

_WIDTH, _HEIGHT = 120.0, 14.0


@dataclass(frozen=True)
class ImportanceLine:
    """One line of the table."""

    path: str
    measure: str
    value: str
    bar: str
    """A bar from zero to the value, with the interval as a line, as SVG."""
    scale: str
    """The interval, or what chance alone would show."""
    n: int


def importance_table(view: PageView) -> dict[str, list[ImportanceLine]]:
    """Arm -> its lines, the strongest measure first."""
    table: dict[str, list[ImportanceLine]] = {arm: [] for arm in view.arms}
    for importance in importances(view.plan, view.records):
        table[importance.arm].append(_line(view, importance))
    return table


def _line(view: PageView, importance: Importance) -> ImportanceLine:
    if importance.low is not None and importance.high is not None:
        scale = f"95 % interval {_signed(importance.low)} to {_signed(importance.high)}"
    else:
        scale = f"{importance.by_chance or 0.0:.2f} by chance alone"
    number = importance.measure == "rank correlation"
    return ImportanceLine(
        short(importance.path),
        importance.measure,
        _signed(importance.value) if number else f"{importance.value:.2f}",
        _bar(view, importance),
        scale,
        importance.n,
    )


def _signed(value: float) -> str:
    written = f"{value:+.2f}".replace("-", "\N{MINUS SIGN}")
    return "0.00" if abs(value) < 0.005 else written


def _bar(view: PageView, importance: Importance) -> str:
    def x(value: float) -> float:
        return _WIDTH * (value + 1) / 2

    left, right = sorted((x(0.0), x(importance.value)))
    arm = arm_class(view.arm(importance.arm))
    parts = [
        segment(x(0.0), 0.0, x(0.0), _HEIGHT, "axis"),
        tag("rect", class_=f"kept {arm}", x=left, y=3.0, width=right - left, height=_HEIGHT - 6),
    ]
    if importance.low is not None and importance.high is not None:
        middle = _HEIGHT / 2
        parts.append(segment(x(importance.low), middle, x(importance.high), middle, "sample"))
    label = f"{short(importance.path)}: {importance.value:.2f}"
    return drawing(_WIDTH, _HEIGHT, label, parts, "bar")
