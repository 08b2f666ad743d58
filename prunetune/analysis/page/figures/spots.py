"""What a frontier draws: one spot per arm at a budget, with its interval."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

from prunetune.analysis.evidence.frontier import FrontierRow
from prunetune.analysis.page.figures.axes import Axis
from prunetune.analysis.page.view import PageView
from prunetune.analysis.verdicts.verdict import Verdict


@dataclass(frozen=True)
class Spot:
    """The mean of one arm at one budget with its interval, to be drawn at `x`."""

    arm: str
    x: float
    mean: float
    low: float | None
    high: float | None


def spots(view: PageView, axis: Axis, matching: str | None) -> list[Spot]:
    """One spot per arm and contest of this matching, and one per study of arms without budgets."""
    drawn = []
    for verdict in view.report.verdicts:
        if verdict.matching == matching:
            drawn += [_spot(view, axis, verdict, name) for name in verdict.arms]
    controls = [row for row in view.rows if row.budget is None and row.test_acc1 is not None]
    for row in controls:
        x = axis.value(row)
        if x and row.matching in (None, matching):
            drawn.append(Spot(row.arm, x, row.test_acc1 or 0.0, row.low, row.high))
    return [spot for spot in drawn if spot is not None]


def _spot(view: PageView, axis: Axis, verdict: Verdict, name: str) -> Spot | None:
    arm = verdict.arms[name]
    found = [axis.value(row) for row in studies_of(view, verdict, name)]
    values = [value for value in found if value]
    if arm.mean is None or not values:
        return None
    return Spot(name, fmean(values), arm.mean, arm.low, arm.high)


def studies_of(view: PageView, verdict: Verdict, arm: str) -> list[FrontierRow]:
    """The studies of an arm in a contest: one per replicate."""
    return [
        row
        for row in view.rows
        if row.arm == arm
        and row.budget == verdict.budget
        and row.matching in (None, verdict.matching)
    ]


def studies_drawn(rows: Iterable[FrontierRow], matching: str | None) -> list[FrontierRow]:
    """The studies with an accuracy that belong to this matching."""
    return [row for row in rows if row.test_acc1 is not None and row.matching in (None, matching)]
