"""The strip of verdicts: one short cell per budget, in the colour of the arm that wins."""

from __future__ import annotations

from dataclasses import dataclass

from prunetune.analysis.page.view import PageView, budget_name, contest_words
from prunetune.analysis.verdicts.verdict import Verdict


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


def strip(view: PageView) -> list[tuple[str | None, list[VerdictCell]]]:
    """(matching, its cells), from the largest budget to the smallest."""
    rows: dict[str | None, list[VerdictCell]] = {}
    for verdict, sentence in zip(view.report.verdicts, view.report.sentences, strict=True):
        rows.setdefault(verdict.matching, []).append(_cell(view, verdict, sentence))
    return list(rows.items())


def _cell(view: PageView, verdict: Verdict, sentence: str) -> VerdictCell:
    winner = verdict.winner
    return VerdictCell(
        budget_name(verdict.budget),
        contest_words(verdict.budget, verdict.matching),
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
