"""The strip of verdicts: one short cell per budget, in the colour of the arm that wins.

While the answer is withheld, no cell names a winner or has its colour; differences stay.
"""

from __future__ import annotations

from dataclasses import dataclass

from prunetune.analysis.format import plural
from prunetune.analysis.page.view import PageView, budget_name
from prunetune.analysis.verdicts.frontiers import FrontierVerdict
from prunetune.analysis.verdicts.labels import judged_label, verdict_label
from prunetune.analysis.verdicts.sentences import contest_name
from prunetune.analysis.verdicts.verdict import Verdict

_MOST_FRONTIERS = 6
_OPEN = ("undecided", "not finished", "no comparison")
"""Labels that claim nothing."""


@dataclass(frozen=True)
class VerdictCell:
    """One verdict of the strip."""

    budget: str
    contest: str
    """The budget with its matching, in full."""
    arm: int | None
    """The arm that wins; None where none does."""
    verdict: str
    detail: str
    sentence: str


def frontier_cells(view: PageView, matching: str | None) -> list[VerdictCell]:
    """The verdicts over all budgets; with many pairs of arms only the settled ones."""
    judged = [
        (frontier, sentence)
        for frontier, sentence in zip(
            view.report.frontiers, view.report.frontier_sentences, strict=True
        )
        if frontier.matching in (None, matching) and frontier.area is not None
    ]
    if len(judged) > _MOST_FRONTIERS:
        judged = [(f, s) for f, s in judged if f.verdict != "undecided"][:_MOST_FRONTIERS]
    return [_frontier_cell(view, frontier, sentence) for frontier, sentence in judged]


def _frontier_cell(view: PageView, found: FrontierVerdict, sentence: str) -> VerdictCell:
    area, low, high = found.area or 0.0, found.low, found.high
    first, second = (found.a, found.b) if area >= 0 else (found.b, found.a)
    if area < 0:
        area, low, high = -area, *(None if e is None else -e for e in (high, low))
    winner = None if view.report.withheld else found.winner
    over = f"over {plural(len(found.budgets), 'budget')}"
    return VerdictCell(
        "all",
        f"{over}, {found.matching}" if found.matching else over,
        view.arm(winner) if winner else None,
        f"{judged_label(found)} over {second}" if winner else _label(view, found.verdict),
        _lead(view, first, second, area, low, high),
        sentence,
    )


def strip(view: PageView) -> list[tuple[str | None, list[VerdictCell]]]:
    """(matching, its cells): over all budgets, then budget by budget as the file has them."""
    rows = {v.matching: frontier_cells(view, v.matching) for v in view.report.verdicts}
    for verdict, sentence in zip(view.report.verdicts, view.report.sentences, strict=True):
        rows[verdict.matching].append(_cell(view, verdict, sentence))
    return list(rows.items())


def _cell(view: PageView, verdict: Verdict, sentence: str) -> VerdictCell:
    winner = None if view.report.withheld else verdict.winner
    return VerdictCell(
        budget_name(verdict.budget),
        contest_name(verdict.budget, verdict.matching),
        view.arm(winner) if winner else None,
        _label(view, verdict_label(verdict)),
        _detail(view, verdict),
        sentence.removeprefix("Undecided. "),
    )


def _label(view: PageView, label: str) -> str:
    """The label of a verdict, or that it is withheld."""
    return "withheld" if view.report.withheld and label not in _OPEN else label


def _detail(view: PageView, verdict: Verdict) -> str:
    """The lead with its interval, in points."""
    if verdict.difference is None or verdict.best is None or verdict.runner_up is None:
        return ""
    ends = verdict.low, verdict.high
    return _lead(view, verdict.best, verdict.runner_up, verdict.difference, *ends)


def _lead(
    view: PageView, first: str, second: str, value: float, low: float | None, high: float | None
) -> str:
    """The pair, its difference and the interval: `pruned - thin: +0.62 [+0.11, +1.13]`."""
    words = f"{first} \N{MINUS SIGN} {second}: {view.points(value)}"
    if low is None or high is None:
        return words
    return f"{words} [{view.points(low)}, {view.points(high)}]"
