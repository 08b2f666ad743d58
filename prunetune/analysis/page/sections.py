"""The variables of the page's template, by section."""

from __future__ import annotations

from typing import Any

from prunetune.analysis.audit.finding import SEVERITIES
from prunetune.analysis.evidence.importances import FEWEST_TRIALS
from prunetune.analysis.format import listing, plural, points
from prunetune.analysis.page.beyond_table import beyond_lines
from prunetune.analysis.page.break_even_table import break_even_lines
from prunetune.analysis.page.effort_panels import EFFORT_SWITCH, effort_figures, effort_words
from prunetune.analysis.page.figure_panels import (
    PRICE_SWITCH,
    frontier_panels,
    frontier_switches,
    matching_switch,
    pair_panels,
    pair_switch,
    phase_panels,
)
from prunetune.analysis.page.figures.differences_plot import MOST_COMPARISONS, differences_svg
from prunetune.analysis.page.figures.parallel_plot import parallel_svg
from prunetune.analysis.page.figures.widths_plot import winner_widths
from prunetune.analysis.page.importance_table import importance_table
from prunetune.analysis.page.latency_table import latency_tables
from prunetune.analysis.page.literature import published_results
from prunetune.analysis.page.notes import omissions, setting, unfinished
from prunetune.analysis.page.points import command, point_entries
from prunetune.analysis.page.prices import COST_COLUMNS, cost_lines
from prunetune.analysis.page.second_table import second_columns, second_lines
from prunetune.analysis.page.strip import strip
from prunetune.analysis.page.switches import useful
from prunetune.analysis.page.tables import (
    STUDY_COLUMNS,
    constants,
    costs,
    failures,
    recipes,
    study_table,
    total,
)
from prunetune.analysis.page.view import PageView


def judgement(view: PageView) -> dict[str, Any]:
    """The answer, the frontier and the verdicts."""
    strips = strip(view)
    return {
        "answer": view.report.answer,
        "unfinished": unfinished(view.report),
        "rungs": view.report.rungs,
        "replicated": view.plan.replicates > 1,
        "frontier_switches": frontier_switches(view),
        "frontier": frontier_panels(view),
        "strips": strips,
        "verdict_teaser": "with their intervals, and what this cannot settle",
        "registered": view.report.preregistration,
        "audit_teaser": audit_teaser(view),
        "pair_switches": useful([pair_switch(view), matching_switch(view)]),
        "pairs": pair_panels(view),
        "differences": differences_svg(view),
        "n_comparisons": sum(len(verdict.pairs) for verdict in view.report.verdicts),
        "most_comparisons": MOST_COMPARISONS,
        "new_images": any(p.new_low is not None for v in view.report.verdicts for p in v.pairs),
        "margin": points(view.plan.confirm.margin, signed=False),
        "phase_switches": [PRICE_SWITCH],
        "phases": phase_panels(view),
    }


def audit_teaser(view: PageView) -> str:
    """How many findings the audit has, by severity."""
    found = [finding.severity for finding in view.report.findings]
    counts = [plural(found.count(name), name) for name in SEVERITIES if name in found]
    return listing(counts) if counts else "the audit found nothing"


def measurements(view: PageView) -> dict[str, Any]:
    """What was measured of every study, what it cost, and what is published."""
    return {
        "columns": STUDY_COLUMNS,
        "studies": study_table(view),
        "widths": winner_widths(view),
        "arms": view.arms,
        "published": published_results(view.plan),
        "published_teaser": f"{plural(len(published_results(view.plan)), 'network')}, to compare",
        "costs": costs(view.report),
        "total": total(view.report),
        "price_switch": PRICE_SWITCH,
        "cost_columns": COST_COLUMNS,
        "cost_lines": cost_lines(view),
        "break_evens": break_even_lines(view),
        "beyond": beyond_lines(view),
        "latency_tables": latency_tables(view),
    }


def recipe_facts(view: PageView) -> dict[str, Any]:
    """The recipes that the searches found."""
    return {
        "recipes": recipes(view),
        "parallels": {arm: parallel_svg(view, arm) for arm in view.arms},
        "importances": importance_table(view),
        "second_columns": second_columns(view),
        "second_lines": second_lines(view),
        "effort_switch": EFFORT_SWITCH,
        "efforts": effort_figures(view),
        "effort_words": effort_words(view),
        "fewest_trials": FEWEST_TRIALS,
        "constants": constants(view),
    }


def origins(view: PageView) -> dict[str, Any]:
    """How each point came to be, and what is missing."""
    failed = failures(view.records)
    return {
        "created": f"{view.report.created_at[:16].replace('T', ' ')} UTC",
        "setting": setting(view.plan, view.report),
        "points": point_entries(view),
        "command": command(view),
        "failures": failed,
        "omissions": omissions(view.plan, view.report),
        "missing_teaser": plural(sum(end[3] for end in failed), "trial") + " failed",
    }
