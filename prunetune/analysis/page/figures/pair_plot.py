"""The difference between two arms along the budgets, with the intervals behind the verdicts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from prunetune.analysis.format import p_value
from prunetune.analysis.page.figures.axes import NARROW, Frame
from prunetune.analysis.page.figures.svg import (
    Scale,
    arm_class,
    drawing,
    mark,
    segment,
    tag,
    text,
    title,
)
from prunetune.analysis.page.view import PageView, budget_name
from prunetune.analysis.verdicts.arm_pairs import Pair
from prunetune.analysis.verdicts.verdict import Verdict

MOST_PAIRS = 60
"""Pairs of arms that a page offers to choose from."""


@dataclass(frozen=True)
class PairStep:
    """One budget of a pair's figure."""

    verdict: Verdict
    pair: Pair
    x: float


def drawn_pairs(view: PageView) -> list[tuple[str, str]]:
    """The pairs of arms with a difference to draw: the best known first, at most MOST_PAIRS."""
    weight: dict[tuple[str, str], float] = {}
    for verdict in view.report.verdicts:
        for pair in verdict.pairs:
            if pair.difference is not None:
                known = weight.get((pair.a, pair.b), 0.0)
                weight[pair.a, pair.b] = max(known, abs(pair.difference))
    if len(weight) <= MOST_PAIRS:
        return list(weight)
    return sorted(weight, key=lambda pair: -weight[pair])[:MOST_PAIRS]


def pair_svg(view: PageView, a: str, b: str, matching: str | None, width: float) -> str | None:
    """The figure of a minus b; None where no budget of this matching compares the two."""
    steps = _steps(view, a, b, matching)
    if not steps:
        return None
    frame = Frame(width, 250.0, 52.0, width - 12, 42.0, 250 - (78.0 if width == NARROW else 74.0))
    nearest = min(step.x for step in steps)
    x = frame.x(nearest * 0.75, view.plan.dense.macs * 1.1, log=True)
    reach = _reach([step.pair for step in steps], view.plan.confirm.margin)
    y = frame.y(-reach, reach)
    parts = [
        *_margin(view, frame, y),
        *_area(view, (a, b), matching, frame, y),
        *_axes(view, frame, x, y, steps, (a, b), matching),
    ]
    for step in steps:
        parts += _step(view, step, x, y)
    where = f", {matching}" if matching else ""
    label = f"Test accuracy of {a} minus that of {b} at each budget{where}, in points."
    return drawing(width, frame.height, label, parts, "pair")


def _steps(view: PageView, a: str, b: str, matching: str | None) -> list[PairStep]:
    targets = {s.budget: s.target_macs for s in view.plan.studies}
    budgets = list(dict.fromkeys(v.budget for v in view.report.verdicts))
    apart = len({targets[budget] for budget in budgets}) == len(budgets)
    steps = []
    for verdict in view.report.verdicts:
        for pair in verdict.pairs:
            if (pair.a, pair.b) == (a, b) and verdict.matching == matching:
                place = 2.0 ** -budgets.index(verdict.budget) * view.plan.dense.macs
                x = float(targets[verdict.budget]) if apart else place
                steps.append(PairStep(verdict, pair, x))
    return [step for step in steps if step.pair.difference is not None]


def _step(view: PageView, step: PairStep, x: Scale, y: Scale) -> Iterator[str]:
    pair, at = step.pair, x(step.x)
    difference = pair.difference or 0.0
    arm = view.arm(pair.a if difference > 0 else pair.b)
    tip = f"{pair.a} minus {pair.b} at {budget_name(step.verdict.budget)}: "
    tip += f"{view.points(difference)} points"
    if pair.low is not None and pair.high is not None:
        if pair.new_low is not None and pair.new_high is not None:
            yield segment(at, y(pair.new_low), at, y(pair.new_high), f"fresh {arm_class(arm)}")
            tip += f" on new images {view.points(pair.new_low)} to {view.points(pair.new_high)};"
        yield segment(at, y(pair.low), at, y(pair.high), f"whisker {arm_class(arm)}")
        for end in (pair.low, pair.high):
            if y.low <= end <= y.high:
                yield segment(at - 4, y(end), at + 4, y(end), f"whisker {arm_class(arm)}")
        tip += f" ({view.points(pair.low)} to {view.points(pair.high)}), {p_value(pair.p)}"
    style = "mark pair" if pair.verdict == "wins" else "mark pair hollow"
    yield mark(at, y(difference), arm, title(f"{tip}: {pair.verdict}"), class_=style)


def _area(
    view: PageView, arms: tuple[str, str], matching: str | None, frame: Frame, y: Scale
) -> Iterator[str]:
    """The mean over all budgets with its interval, as a band across the figure."""
    for found in view.report.frontiers:
        same = (found.a, found.b) == arms and found.matching in (None, matching)
        if not same or found.area is None or found.low is None or found.high is None:
            continue
        color = arm_class(view.arm(found.a if found.area > 0 else found.b))
        tip = (
            f"mean over {len(found.budgets)} budgets: {view.points(found.area)} points "
            f"({view.points(found.low)} to {view.points(found.high)}), {p_value(found.p)}: "
            f"{found.verdict}"
        )
        yield tag(
            "rect", title(tip), class_=f"band area {color}", x=frame.left, y=y(found.high),
            width=frame.right - frame.left, height=y(found.low) - y(found.high),
        )  # fmt: skip
        yield segment(frame.left, y(found.area), frame.right, y(found.area), f"mean {color}")


def _margin(view: PageView, frame: Frame, y: Scale) -> Iterator[str]:
    margin = view.plan.confirm.margin
    yield tag(
        "rect", title("the margin of equivalence, stated beforehand"), class_="margin",
        x=frame.left, y=y(margin), width=frame.right - frame.left, height=y(-margin) - y(margin),
    )  # fmt: skip


def _axes(
    view: PageView,
    frame: Frame,
    x: Scale,
    y: Scale,
    steps: Sequence[PairStep],
    arms: tuple[str, str],
    matching: str | None,
) -> Iterator[str]:
    ticks = [(step.x, budget_name(step.verdict.budget)) for step in sorted(steps, key=_place)]
    yield from frame.x_axis(x, ticks, "budget")
    marks = [(t, f"{100 * t:+.3g}".replace("-", "\N{MINUS SIGN}") if t else "0") for t in y.ticks()]
    yield from frame.y_axis(y, marks, "")
    yield segment(frame.left, y(0.0), frame.right, y(0.0), "axis")
    yield text(4, 16, f"{arms[0]} \N{MINUS SIGN} {arms[1]}, points of test accuracy")
    above, below = (f"{name} ahead" for name in arms)
    yield text(frame.right, frame.top - 6, above, text_anchor="end", class_="quiet small")
    yield text(frame.right, frame.bottom - 5, below, text_anchor="end", class_="quiet small halo")
    yield from frame.stamp(view.rung(matching))


def _place(step: PairStep) -> float:
    return step.x


def _reach(pairs: Sequence[Pair], margin: float) -> float:
    """Half the range of the y axis; wide intervals are cut off so that differences stay apart."""
    differences = [abs(p.difference or 0.0) for p in pairs]
    ends = [abs(end) for p in pairs for end in (p.low, p.high) if end is not None]
    widest = max([*ends, *differences, 1.5 * margin])
    return 1.1 * min(widest, max(*(3 * d for d in differences), 5 * margin))
