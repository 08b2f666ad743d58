"""The page: one HTML file with style and figures inside, which opens without a network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prunetune.analysis.format import points
from prunetune.analysis.page.figures.differences_plot import differences_svg
from prunetune.analysis.page.figures.frontier_plot import frontier_svg
from prunetune.analysis.page.figures.widths_plot import winner_widths
from prunetune.analysis.page.notes import omissions, setting, unfinished
from prunetune.analysis.page.style import page_style
from prunetune.analysis.page.tables import (
    STUDY_COLUMNS,
    by_budget,
    constants,
    costs,
    failures,
    recipes,
    study_table,
    total,
)
from prunetune.analysis.report import Report
from prunetune.analysis.verdicts.sentences import contest_name
from prunetune.analysis.verdicts.verdict import Verdict
from prunetune.plan import Plan
from prunetune.records.record import Record


def page(plan: Plan, records: Mapping[str, Record], report: Report) -> bytes:
    """The content of index.html; it has no script and fetches nothing."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("prunetune.analysis.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    arms = plan.arms()
    environment.filters["arm"] = lambda arm: f"arm-{arms.index(arm)}" if arm in arms else ""
    template = environment.get_template("page.html")
    return template.render(contents(plan, records, report)).encode()


def contents(plan: Plan, records: Mapping[str, Record], report: Report) -> dict[str, Any]:
    """The variables of the template."""
    return {
        "report": report,
        "style": page_style(plan),
        "setting": setting(plan, report),
        "unfinished": unfinished(report),
        "verdicts": list(zip(report.verdicts, report.sentences, strict=True)),
        "contest_name": contest_name,
        "headline": headline,
        "replicated": plan.replicates > 1,
        "margin": points(plan.confirm.margin, signed=False),
        "frontier": frontier_svg(plan, report),
        "differences": differences_svg(plan, report),
        "columns": STUDY_COLUMNS,
        "studies": study_table(plan, report),
        "recipes": recipes(plan, records, report),
        "constants": constants(plan, records, report),
        "widths": winner_widths(plan, records, by_budget(plan, report)),
        "costs": costs(report),
        "total": total(report),
        "failures": failures(records),
        "omissions": omissions(plan, report),
    }


def headline(verdict: Verdict) -> str:
    """The verdict in a word or two."""
    if not verdict.pairs:
        return "no comparison"
    if any(arm.pending for arm in verdict.arms.values()):
        return "not finished"
    return f"{verdict.winner} wins" if verdict.winner else verdict.verdict
