"""The same comparison in several sweeps: one row per sweep, for a forest plot.

Sweeps differ in data, network, training and search, so their differences are set side by side and
never pooled into one number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prunetune.analysis.evidence.rungs import rung_label
from prunetune.analysis.report import Report
from prunetune.analysis.verdicts.judged import Judged, Judgement
from prunetune.config.budget import RecordedBudget
from prunetune.records.record import Frozen


class ForestRow(Frozen):
    """One comparison of one sweep. Differences are a minus b, in accuracy."""

    sweep: str
    model: str
    rung: str
    """The label of the sweep's rungs; empty where the report has none."""
    a: str
    b: str
    budget: RecordedBudget
    """None: over all budgets."""
    matching: str | None
    difference: float
    low: float | None = None
    """Ends of the simultaneous interval on these test images."""
    high: float | None = None
    new_low: float | None = None
    """Ends on new test images; None where outputs per image were not kept."""
    new_high: float | None = None
    verdict: Judgement = "undecided"
    winner: str | None = None
    n: int = 0


def forest(reports: Sequence[Report]) -> tuple[ForestRow, ...]:
    """All measured comparisons of all sweeps, grouped by pair of arms and then by budget.

    A pair has the same orientation in all rows: that of the first sweep that compares it.
    """
    orientation: dict[frozenset[str], tuple[str, str]] = {}
    groups: dict[tuple[tuple[str, str], str], list[ForestRow]] = {}
    for report in reports:
        for row in _rows(report):
            pair = orientation.setdefault(frozenset((row.a, row.b)), (row.a, row.b))
            place = f"{row.budget} {row.matching}"
            turned = row if (row.a, row.b) == pair else _turned(row)
            groups.setdefault((pair, place), []).append(turned)
    pairs = list(orientation.values())
    ordered = sorted(groups.items(), key=lambda group: pairs.index(group[0][0]))
    return tuple(row for _, rows in ordered for row in rows)


def _rows(report: Report) -> Iterator[ForestRow]:
    for frontier in report.frontiers:
        if frontier.area is not None:
            yield _row(report, frontier, None, frontier.matching, frontier.area)
    for verdict in report.verdicts:
        for pair in verdict.pairs:
            if pair.difference is not None and pair.low is not None:
                yield _row(report, pair, verdict.budget, verdict.matching, pair.difference)


def _row(
    report: Report,
    judged: Judged,
    budget: RecordedBudget,
    matching: str | None,
    difference: float,
) -> ForestRow:
    shared = ("a", "b", "low", "high", "new_low", "new_high", "verdict", "winner", "n")
    return ForestRow(
        sweep=report.sweep,
        model=report.dense.model,
        rung=rung_label(report.rungs),
        budget=budget,
        matching=matching,
        difference=difference,
        **{name: getattr(judged, name) for name in shared},
    )


def _turned(row: ForestRow) -> ForestRow:
    """The same comparison as b minus a."""

    def minus(value: float | None) -> float | None:
        return None if value is None else -value

    return row.model_copy(
        update={
            "a": row.b,
            "b": row.a,
            "difference": -row.difference,
            "low": minus(row.high),
            "high": minus(row.low),
            "new_low": minus(row.new_high),
            "new_high": minus(row.new_low),
        }
    )
