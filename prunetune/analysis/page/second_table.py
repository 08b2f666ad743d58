"""The table of second verdicts: as the searches ran, with half of their trials, at equal MACs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prunetune.analysis.page.view import PageView
from prunetune.analysis.verdicts.frontiers import FrontierVerdict
from prunetune.analysis.verdicts.labels import judged_label, verdict_label
from prunetune.analysis.verdicts.sentences import contest_name
from prunetune.analysis.verdicts.verdict import Verdict


@dataclass(frozen=True)
class SecondLine:
    """One comparison of the table."""

    place: str
    verdicts: tuple[tuple[str, bool], ...]
    """(verdict, whether it differs from the first), as run and after each cut."""


def second_columns(view: PageView) -> list[str]:
    """The headings of the verdicts: as run, then the name of each cut."""
    return ["as run", *(second.name for second in view.report.second_verdicts)]


def second_lines(view: PageView) -> list[SecondLine]:
    """A line for every pair of frontiers and every budget; empty if nothing was searched."""
    report = view.report
    if not report.second_verdicts:
        return []
    pairs = zip(report.frontiers, *(s.frontiers for s in report.second_verdicts), strict=True)
    contests = zip(report.verdicts, *(s.verdicts for s in report.second_verdicts), strict=True)
    lines = [_line(_frontier_place(same[0]), [_pair(f) for f in same]) for same in pairs]
    for same in contests:
        place = contest_name(same[0].budget, same[0].matching)
        lines.append(_line(place, [_contest(view, verdict) for verdict in same]))
    return lines


def _line(place: str, words: Sequence[tuple[str, str]]) -> SecondLine:
    first = words[0][0]
    cells = ((f"{verdict}{lead}", verdict != first) for verdict, lead in words)
    return SecondLine(place, tuple(cells))


def _frontier_place(found: FrontierVerdict) -> str:
    pair = f"all budgets: {found.a} against {found.b}"
    return f"{pair}, {found.matching}" if found.matching else pair


def _pair(found: FrontierVerdict) -> tuple[str, str]:
    return judged_label(found), ""


def _contest(view: PageView, verdict: Verdict) -> tuple[str, str]:
    if verdict.difference is None or verdict.best is None:
        return verdict_label(verdict), ""
    return verdict_label(verdict), f" ({verdict.best} {view.points(verdict.difference)})"
