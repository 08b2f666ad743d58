"""Search effort: the best of each search after n trials, or after so many MACs, at one budget."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from prunetune.analysis.evidence.efforts import EffortCurve
from prunetune.analysis.format import count
from prunetune.analysis.page.figures.axes import Frame, stamp_lines
from prunetune.analysis.page.figures.svg import DASHES, Scale, arm_class, drawing, tag, title
from prunetune.analysis.page.view import PageView
from prunetune.config.budget import RecordedBudget

_WIDTH, _HEIGHT = 380.0, 250.0
Effort = Literal["trials", "macs"]


@dataclass(frozen=True)
class StudyCurve:
    """The curve of one study, with its place among the arms and searches."""

    arm: str
    replicate: int
    curve: EffortCurve


def curves_at(view: PageView, budget: RecordedBudget, matching: str | None) -> list[StudyCurve]:
    """The curves of the studies that compete at one budget."""
    curves = {curve.study: curve for curve in view.report.efforts}
    return [
        StudyCurve(row.arm, row.replicate, curves[row.study])
        for row in view.rows
        if row.budget == budget and row.matching in (None, matching) and row.study in curves
    ]


def effort_svg(
    view: PageView, curves: Sequence[StudyCurve], effort: Effort, label: str, matching: str | None
) -> str | None:
    """The figure; None where no search has two trials, or none spent anything."""
    reach = max((_efforts(found.curve, effort)[-1] for found in curves), default=0.0)
    if reach == 0 or all(len(found.curve.best) < 2 for found in curves):
        return None
    foot = 13.0 * len(stamp_lines(_WIDTH, view.rung(matching)))
    frame = Frame(_WIDTH, _HEIGHT + foot, 46.0, _WIDTH - 14, 30.0, _HEIGHT - 54)
    least = min(_efforts(found.curve, effort)[0] for found in curves) if effort == "macs" else 1.0
    x = frame.x(least if least < reach else 0.0, reach)
    y = frame.y(*_range(curves))
    ticks = [(t, count(t) if effort == "macs" else f"{t:g}") for t in x.ticks(5) if t or least == 0]
    whole = [(t, words) for t, words in ticks if effort == "macs" or t == int(t)]
    name = "MACs spent by the search" if effort == "macs" else "trials"
    marks = [(t, f"{100 * t:.2f}".rstrip("0").rstrip(".")) for t in y.ticks(5)]
    parts = [
        *frame.x_axis(x, whole, name),
        *frame.y_axis(y, marks, "validation accuracy of the best, %"),
        *frame.stamp(view.rung(matching)),
    ]
    for found in curves:
        parts += _curve(view, found, effort, x, y)
    return drawing(
        _WIDTH, frame.height, f"Search effort at {label}, against {name}.", parts, "effort"
    )


def _curve(view: PageView, found: StudyCurve, effort: Effort, x: Scale, y: Scale) -> Iterator[str]:
    curve, at = found.curve, [x(value) for value in _efforts(found.curve, effort)]
    color = arm_class(view.arm(found.arm))
    if curve.low:
        upper = [f"{a:.1f},{y(v):.1f}" for a, v in zip(at, curve.high, strict=False)]
        lower = [f"{a:.1f},{y(v):.1f}" for a, v in zip(at, curve.low, strict=False)]
        yield tag("path", d=f"M{'L'.join(upper + lower[::-1])}Z", class_=f"band {color}")
    rising = ", still rising" if curve.still_rising else ""
    tip = (
        f"{curve.study}: {curve.kind}, {view.percent(curve.best[-1])} % after "
        f"{len(curve.best)} trials and {count(curve.macs[-1])} MACs{rising}"
    )
    corners = " ".join(f"{a:.1f},{y(v):.1f}" for a, v in zip(at, curve.best, strict=True))
    yield tag(
        "polyline", title(tip), points=corners, class_=f"path {color}",
        stroke_dasharray=DASHES[found.replicate % len(DASHES)] or None,
    )  # fmt: skip


def _efforts(curve: EffortCurve, effort: Effort) -> list[float]:
    trials = [float(n + 1) for n in range(len(curve.best))]
    return trials if effort == "trials" else [float(macs) for macs in curve.macs]


def _range(curves: Sequence[StudyCurve]) -> tuple[float, float]:
    """All of the curves, but for first trials that are far below everything else."""
    finals = [found.curve.best[-1] for found in curves]
    values = [value for found in curves for value in found.curve.best if value > 0]
    low, high = min(values, default=0.0), max(finals)
    low = max(low, high - 4 * max(high - min(finals), 0.02))
    pad = max(0.06 * (high - low), 0.002)
    return low - pad, min(high + pad, 1.0)
