"""The page: one file that opens without a network, and the figures as files of their own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from prunetune.analysis.page.figures.differences_plot import differences_svg
from prunetune.analysis.page.figures.frontier_plot import frontier_svg
from prunetune.analysis.page.sections import (
    COLUMNS,
    constants,
    costs,
    failures,
    not_run,
    recipes,
    setup,
    table,
    total,
    unfinished,
    widths,
)
from prunetune.analysis.report import Report
from prunetune.analysis.verdicts.sentences import contest_name, points
from prunetune.analysis.verdicts.verdict import Verdict
from prunetune.config.colors import arm_colors
from prunetune.plan import Plan
from prunetune.records.record import Record


def page(plan: Plan, records: Mapping[str, Record], report: Report) -> bytes:
    """index.html: style and figures inside, no script, nothing fetched."""
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
    """Everything that the template shows."""
    return {
        "report": report,
        "style": _asset("figures.css") + _asset("page.css") + colors(plan),
        "setup": setup(plan, report),
        "unfinished": unfinished(report),
        "verdicts": list(zip(report.verdicts, report.sentences, strict=True)),
        "place": contest_name,
        "outcome": outcome,
        "searches": plan.replicates > 1,
        "margin": points(plan.confirm.margin, signed=False),
        "frontier": frontier_svg(plan, report),
        "differences": differences_svg(plan, report),
        "columns": COLUMNS,
        "rows": table(plan, report),
        "recipes": recipes(plan, records, report),
        "constants": constants(plan, records, report),
        "widths": widths(plan, records, report),
        "costs": costs(report),
        "total": total(report),
        "failures": failures(records),
        "not_run": not_run(plan, report),
    }


def outcome(verdict: Verdict) -> str:
    """The verdict in a word or two."""
    if not verdict.pairs:
        return "no comparison"
    if any(arm.pending for arm in verdict.arms.values()):
        return "not finished"
    return f"{verdict.winner} wins" if verdict.winner else verdict.verdict


def figure_files(plan: Plan, report: Report) -> dict[str, bytes]:
    """The figures as SVG files that stand alone, by name."""
    drawn = {
        "frontier.svg": frontier_svg(plan, report),
        "differences.svg": differences_svg(plan, report),
    }
    style = f"<style>{_asset('figures.css')}{colors(plan)}</style></svg>"
    return {
        name: f"{svg.removesuffix('</svg>')}{style}\n".encode()
        for name, svg in drawn.items()
        if svg is not None
    }


def colors(plan: Plan) -> str:
    """The arms' colours as CSS, lighter on a dark screen."""
    light, dark = [], []
    for i, color in enumerate(arm_colors(plan.arms()).values()):
        ink = "var(--ink)" if color == "#000000" else color  # black would be lost on black
        light.append(f".arm-{i} {{ --c: {ink}; }}")
        dark.append(f".arm-{i} {{ --c: color-mix(in srgb, {ink} 75%, white); }}")
    query = "@media screen and (prefers-color-scheme: dark)"
    return "\n".join([*light, f"{query} {{", *dark, "}"])


@cache
def _asset(name: str) -> str:
    return (files("prunetune.analysis.page") / "templates" / name).read_text()
