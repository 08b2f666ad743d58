"""The strip of verdicts: one short cell per budget, in the colour of the arm that wins."""

from __future__ import annotations

from dataclasses import dataclass

from prunetune.analysis.format import plural
from prunetune.analysis.page.view import PageView, budget_name
from prunetune.analysis.verdicts.frontiers import FrontierVerdict
from prunetune.analysis.verdicts.sentences import contest_name
from prunetune.analysis.verdicts.verdict import Verdict

_MOST_FRONTIERS = 6


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
    name = f"{found.a} \N{MINUS SIGN} {found.b}"
    detail = f"{name}: {view.points(found.area)}"
    if found.low is not None and found.high is not None:
        detail += f" [{view.points(found.low)}, {view.points(found.high)}]"
    winner = found.winner
    loser = found.b if winner == found.a else found.a
    verdict = f"{winner} beats {loser}" if winner else f"{name}: {found.verdict}"
    over = f"over {plural(len(found.budgets), 'budget')}"
    contest = f"{over}, {found.matching}" if found.matching else over
    arm = view.arm(winner) if winner else None
    return VerdictCell("all", contest, arm, verdict, detail, sentence)


def strip(view: PageView) -> list[tuple[str | None, list[VerdictCell]]]:
    """(matching, its cells): over all budgets, then budget by budget as the file has them."""
    rows = {v.matching: frontier_cells(view, v.matching) for v in view.report.verdicts}
    for verdict, sentence in zip(view.report.verdicts, view.report.sentences, strict=True):
        rows[verdict.matching].append(_cell(view, verdict, sentence))
    return list(rows.items())


def _cell(view: PageView, verdict: Verdict, sentence: str) -> VerdictCell:
    winner = verdict.winner
    return VerdictCell(
        budget_name(verdict.budget),
        contest_name(verdict.budget, verdict.matching),
        view.arm(winner) if winner else None,
        headline(verdict),
        _detail(view, verdict),
        sentence.removeprefix("Undecided. "),
    )


def _detail(view: PageView, verdict: Verdict) -> str:
    """The lead with its interval, in points."""
    if verdict.difference is None or verdict.best is None or verdict.runner_up is None:
        return ""
    lead = f"{verdict.best} {view.points(verdict.difference)} over {verdict.runner_up}"
    if verdict.low is None or verdict.high is None:
        return lead
    return f"{lead} [{view.points(verdict.low)}, {view.points(verdict.high)}]"


def headline(verdict: Verdict) -> str:
    """The verdict in a word or two."""
    if not verdict.pairs:
        return "no comparison"
    if any(arm.pending for arm in verdict.arms.values()):
        return "not finished"
    return f"{verdict.winner} wins" if verdict.winner else verdict.verdict
