"""Several sweeps on one page: their answers, the same pair of arms in each, their frontiers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from prunetune.analysis.evidence.rungs import rung_label
from prunetune.analysis.format import NOTHING, count, plural
from prunetune.analysis.page.effects import effects_of, shared_pairs
from prunetune.analysis.page.figures.axes import NARROW, WIDE, axes
from prunetune.analysis.page.figures.forest_plot import forest_svg
from prunetune.analysis.page.figures.frontier_plot import FrontierFigure
from prunetune.analysis.page.figures.pdf import pdf_of
from prunetune.analysis.page.figures.resolve import standalone
from prunetune.analysis.page.html import render_template
from prunetune.analysis.page.switches import Panel, Switch, panel, useful
from prunetune.analysis.page.view import PageView
from prunetune.records.record_builder import now

FACTS = (
    "network", "dense MACs", "dense test %", "images (train / val / test)", "arms", "budgets",
    "searches of trials", "confirm seeds", "audit", "MACs spent", "rung",
)  # fmt: skip


@dataclass(frozen=True)
class SweepCard:
    """One sweep of the comparison."""

    name: str
    link: str
    question: str
    answer: str
    frontiers: tuple[tuple[str, str], ...]
    """(matching, drawing) of each matching."""
    facts: tuple[str, ...]
    """The cells under FACTS."""


def together(views: Sequence[PageView]) -> list[PageView]:
    """The sweeps with one palette for the arms of all."""
    palette = tuple(dict.fromkeys(arm for view in views for arm in view.plan.arms()))
    return [PageView(v.plan, v.records, v.report, palette, v.base) for v in views]


def comparison_page(views: Sequence[PageView]) -> bytes:
    """The content of the comparison's index.html; each view's base is the address of its page."""
    shown = together(views)
    pairs = shared_pairs(shown)
    options = tuple((f"p{i}", f"{a} \N{MINUS SIGN} {b}") for i, (a, b) in enumerate(pairs))
    return render_template(
        "comparison.html",
        shown[0].arms,
        {
            "sweeps": [_card(view) for view in shown],
            "created": f"{now()[:16].replace('T', ' ')} UTC",
            "columns": FACTS,
            "pair_switches": useful([Switch("pair", "difference", options)]),
            "forests": _forests(shown, pairs),
        },
    )


def comparison_json(views: Sequence[PageView]) -> bytes:
    """comparison.json: of each sweep its answer and its verdicts, as report.json has them."""
    kept = {"sweep", "question", "created_at", "dense", "answer", "frontiers", "verdicts", "family"}
    reports = [view.report.model_dump(mode="json", by_alias=True) for view in views]
    sweeps = [{name: report[name] for name in report if name in kept} for report in reports]
    return json.dumps({"schema": 1, "sweeps": sweeps}, indent=1).encode()


def comparison_files(views: Sequence[PageView]) -> dict[str, bytes]:
    """The forest plot of every pair as files, by name."""
    shown = together(views)
    files = {}
    for i, (a, b) in enumerate(shared_pairs(shown)):
        alone = standalone(forest_svg(a, b, effects_of(shown, a, b), WIDE), shown[0].arms)
        files[f"forest-{i}.svg"], files[f"forest-{i}.pdf"] = alone, pdf_of(alone)
    return files


def _forests(views: Sequence[PageView], pairs: Sequence[tuple[str, str]]) -> list[Panel]:
    panels = []
    for i, (a, b) in enumerate(pairs):
        draw = partial(forest_svg, a, b, effects_of(views, a, b))
        panels.append(panel(f"pair=p{i}", f"{a} \N{MINUS SIGN} {b}", draw))
    return [found for found in panels if found is not None]


def _card(view: PageView) -> SweepCard:
    report, axis = view.report, axes(view)[0]
    several = len(view.plan.matchings()) > 1
    drawn = [
        (str(matching) if several else "", FrontierFigure(view, axis, matching, NARROW).svg())
        for matching in view.plan.matchings()
    ]
    return SweepCard(
        report.sweep,
        view.base,
        report.question,
        report.answer,
        tuple((caption, svg) for caption, svg in drawn if svg is not None),
        tuple(_facts(view)),
    )


def _facts(view: PageView) -> list[Any]:
    plan, dense = view.plan, view.report.dense
    trials = sorted({study.trials for study in plan.studies})
    found = [finding.severity for finding in view.report.findings]
    audit = [plural(found.count(s), s) for s in ("error", "warning") if s in found]
    return [
        dense.model,
        count(dense.macs),
        view.percent(dense.mean),
        f"{plan.train_size} / {plan.val_size} / {plan.test_size}",
        len(plan.arms()),
        sum(budget is not None for budget in plan.budgets()),
        f"{plan.replicates} of {' to '.join(map(str, dict.fromkeys((trials[0], trials[-1]))))}",
        plan.confirm.seeds,
        ", ".join(audit) or "clean",
        count(view.report.ledger.spent_macs),
        rung_label(view.report.rungs) if view.report.rungs else NOTHING,
    ]
