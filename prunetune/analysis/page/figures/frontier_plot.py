"""The figure of the frontier: test accuracy against MACs for every arm, with t intervals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from prunetune.analysis.evidence.frontier import FrontierRow
from prunetune.analysis.format import count, percent
from prunetune.analysis.page.figures.svg import (
    DASHES,
    Scale,
    arm_class,
    drawing,
    mark,
    segment,
    tag,
    text,
    text_width,
    title,
)
from prunetune.analysis.report import Report
from prunetune.analysis.verdicts.sentences import contest_name
from prunetune.plan import MASKED, Plan

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _BOTTOM = 760.0, 440.0, 58.0, 16.0, 52.0
_CROSS = "M-5,-5L5,5M-5,5L5,-5"
Shifts = dict[tuple[str, str | None], float]
"""(arm, matching) -> pixels to the side: at one budget the MACs of all arms nearly coincide."""


@dataclass(frozen=True)
class Spot:
    """A mean with its interval, to be drawn."""

    arm: str
    matching: str | None
    macs: float
    mean: float
    low: float | None
    high: float | None
    label: str


def spots(report: Report) -> list[Spot]:
    """One spot per arm in a contest; an arm without matchings has one for all matchings.

    An arm without budgets has one spot per study, at the dense MACs.
    """
    by_contest: dict[tuple[object, ...], Spot] = {}
    matching_of = {(r.arm, r.budget): r.matching for r in report.frontier if r.matching is None}
    for verdict in report.verdicts:
        for name, arm in verdict.arms.items():
            if arm.mean is None or arm.macs is None:
                continue
            matching = matching_of.get((name, verdict.budget), verdict.matching)
            label = (
                f"{name}, {contest_name(verdict.budget, matching)}: {percent(arm.mean)}"
                f" [{percent(arm.low)}, {percent(arm.high)}], n = {arm.n}, {count(arm.macs)} MACs"
            )
            spot = Spot(name, matching, arm.macs, arm.mean, arm.low, arm.high, label)
            by_contest.setdefault((name, verdict.budget, matching), spot)
    controls = (row for row in report.frontier if row.budget is None)
    return [*by_contest.values(), *filter(None, map(_control, controls))]


def _control(row: FrontierRow) -> Spot | None:
    """The spot of an arm without budgets, which is in no contest."""
    if row.test_acc1 is None or row.macs is None:
        return None
    label = (
        f"{row.study}: {percent(row.test_acc1)} [{percent(row.low)}, {percent(row.high)}], "
        f"n = {row.n}, {count(row.macs)} MACs"
    )
    return Spot(row.arm, row.matching, row.macs, row.test_acc1, row.low, row.high, label)


def frontier_svg(plan: Plan, report: Report) -> str | None:
    """The figure, one mark of class `study` per study; None while nothing is confirmed."""
    arms, drawn = plan.arms(), spots(report)
    if all(row.test_acc1 is None for row in report.frontier):
        return None
    legend, top = _legend(plan, arms)
    x = _x_scale(plan, [s.macs for s in drawn])
    y = _y_scale(report, drawn, top)
    shift = _shifts(plan)
    parts = [
        *_axes(x, y, top),
        *_dense(report, x, y),
        *_lines(plan, drawn, x, y, shift),
    ]
    for spot in drawn:
        at = x(spot.macs) + shift[spot.arm, spot.matching]
        parts += _whisker(spot, at, y, f"whisker {arm_class(arms.index(spot.arm))}")
    parts += _marks(plan, report, x, y, shift)
    label = "Test accuracy against MACs, one mark per study; the table below has all figures."
    return drawing(_WIDTH, _HEIGHT, label, [*parts, *legend], "frontier")


def _marks(plan: Plan, report: Report, x: Scale, y: Scale, shift: Shifts) -> Iterator[str]:
    for row in report.frontier:
        if row.test_acc1 is None or row.macs is None:
            continue
        tooltip = f"{row.study}: {percent(row.test_acc1)}, n = {row.n}, {count(row.macs)} MACs"
        if row.low is not None and plan.replicates == 1:
            tooltip += f", 95 % interval {percent(row.low)} to {percent(row.high)}"
        if row.masked:
            tooltip += f"; {MASKED}"
        at = x(row.macs) + shift[row.arm, row.matching]
        arm = plan.arms().index(row.arm)
        yield mark(at, y(row.test_acc1), arm, title(tooltip), class_="mark study")


def _lines(plan: Plan, drawn: Sequence[Spot], x: Scale, y: Scale, shift: Shifts) -> Iterator[str]:
    order = [m for m in plan.matchings() if m]
    for key in dict.fromkeys((s.arm, s.matching) for s in drawn):
        ordered = sorted((s for s in drawn if (s.arm, s.matching) == key), key=lambda s: s.macs)
        points = " ".join(f"{x(s.macs) + shift[key]:.1f},{y(s.mean):.1f}" for s in ordered)
        dash = DASHES[order.index(key[1]) % len(DASHES)] if key[1] else ""
        arm = arm_class(plan.arms().index(key[0]))
        yield tag("polyline", points=points, class_=f"path {arm}", stroke_dasharray=dash or None)


def _whisker(spot: Spot, at: float, y: Scale, class_: str) -> Iterator[str]:
    """The interval; an end outside the picture has no bar."""
    if spot.low is None or spot.high is None:
        return
    yield segment(at, y(spot.low), at, y(spot.high), class_)
    for end in (spot.low, spot.high):
        if y.low <= end <= y.high:
            yield segment(at - 4, y(end), at + 4, y(end), class_)


def _dense(report: Report, x: Scale, y: Scale) -> Iterator[str]:
    dense = report.dense
    if dense.mean is None:
        return
    at, height = x(dense.macs), y(dense.mean)
    label = f"dense network: {percent(dense.mean)}, n = {dense.n}, {count(dense.macs)} MACs"
    yield segment(_LEFT, height, _WIDTH - _RIGHT, height, "reference")
    spot = Spot("", None, dense.macs, dense.mean, dense.low, dense.high, label)
    yield from _whisker(spot, at, y, "whisker dense")
    position = f"translate({at:.1f},{height:.1f})"
    yield tag("path", title(label), d=_CROSS, transform=position, class_="cross dense")


def _shifts(plan: Plan) -> Shifts:
    lines = list(dict.fromkeys((study.arm, study.matching) for study in plan.studies))
    apart = min(9.0, 64.0 / len(lines))
    return {name: apart * (i - (len(lines) - 1) / 2) for i, name in enumerate(lines)}


def _axes(x: Scale, y: Scale, top: float) -> Iterator[str]:
    for tick in y.ticks():
        yield segment(_LEFT, y(tick), _WIDTH - _RIGHT, y(tick), "grid")
        label = f"{100 * tick:.2f}".rstrip("0").rstrip(".")
        yield text(_LEFT - 8, y(tick) + 4, label, text_anchor="end")
    for tick in x.ticks():
        yield segment(x(tick), top, x(tick), _HEIGHT - _BOTTOM, "grid")
        yield text(x(tick), _HEIGHT - _BOTTOM + 17, f"{count(tick)}", text_anchor="middle")
    yield segment(_LEFT, _HEIGHT - _BOTTOM, _WIDTH - _RIGHT, _HEIGHT - _BOTTOM, "axis")
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    yield text(middle, _HEIGHT - 12, "MACs per image, achieved (log)", text_anchor="middle")
    yield text(_LEFT - 44, top - 10, "test accuracy, %")


def _legend(plan: Plan, arms: Sequence[str]) -> tuple[list[str], float]:
    """The elements of the legend, and the y coordinate of its lower end."""
    parts, at, row = [], _LEFT, 14.0
    matchings = [m for m in plan.matchings() if m]
    entries = [*((arm, i) for i, arm in enumerate(arms)), ("dense network", -1)]
    if len(matchings) > 1:
        entries += [(matching, -2 - i) for i, matching in enumerate(matchings)]
    for name, index in entries:
        width = 40 + text_width(name)
        if at + width > _WIDTH and at > _LEFT:
            at, row = _LEFT, row + 20
        parts.append(_swatch(at + 8, row, index))
        parts.append(text(at + 22, row + 4, name))
        at += width
    return parts, row + 40


def _swatch(x: float, y: float, index: int) -> str:
    if index >= 0:
        return mark(x, y, index)
    if index == -1:
        return tag("path", d=_CROSS, transform=f"translate({x},{y})", class_="cross dense")
    dash = DASHES[(-2 - index) % len(DASHES)] or None
    return tag("line", x1=x - 10, y1=y, x2=x + 10, y2=y, class_="sample", stroke_dasharray=dash)


def _x_scale(plan: Plan, macs: Sequence[float]) -> Scale:
    targets = [s.target_macs for s in plan.studies]
    low, high = min([*macs, *targets, plan.dense.macs]), max([*macs, plan.dense.macs])
    return Scale(low * 0.8, high * 1.18, _LEFT, _WIDTH - _RIGHT, log=True)


def _y_scale(report: Report, drawn: Sequence[Spot], top: float) -> Scale:
    """The scale contains all means; wide intervals are cut off so that the means stay apart."""
    dense = [report.dense.mean] if report.dense.mean is not None else []
    studies = [row.test_acc1 for row in report.frontier if row.test_acc1 is not None]
    means = [*dense, *studies, *(s.mean for s in drawn)]
    span = max(max(means) - min(means), 0.01)
    intervals = [(report.dense.low, report.dense.high), *((s.low, s.high) for s in drawn)]
    ends = [end for interval in intervals for end in interval if end is not None]
    low = max(min([*means, *ends]), min(means) - span, 0.0)
    high = min(max([*means, *ends]), max(means) + span, 1.0)
    pad = max(0.06 * (high - low), 0.002)
    return Scale(low - pad, high + pad, _HEIGHT - _BOTTOM, top)
