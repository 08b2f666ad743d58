"""The files of a report: for programs, for spreadsheets and for people."""

from __future__ import annotations

from collections.abc import Mapping

from prunetune.analysis.page.csv_tables import frontier_csv, trials_csv
from prunetune.analysis.page.figures.differences_plot import differences_svg
from prunetune.analysis.page.figures.frontier_plot import frontier_svg
from prunetune.analysis.page.html import page
from prunetune.analysis.page.style import figure_style
from prunetune.analysis.report import Report, analyse
from prunetune.plan import Plan
from prunetune.records.files import StoredFolder
from prunetune.records.record import Record
from prunetune.records.store import Store


def write_report(
    plan: Plan,
    records: Mapping[str, Record],
    folder: StoredFolder,
    store: Store | None = None,
) -> Report:
    """Write report.json, frontier.csv, trials.csv, the figures and index.html to `folder`.

    The store tells what other sweeps took from the same test images; None: that is not known.
    """
    report = analyse(plan, records, store=store)
    folder.file("report.json").write_json(report)
    folder.file("frontier.csv").write(frontier_csv(report))
    folder.file("trials.csv").write(trials_csv(records))
    for name, content in figure_files(plan, report).items():
        folder.file(name).write(content)
    folder.file("index.html").write(page(plan, records, report))
    return report


def figure_files(plan: Plan, report: Report) -> dict[str, bytes]:
    """The figures as SVG files that stand alone, by file name."""
    figures = {
        "frontier.svg": frontier_svg(plan, report),
        "differences.svg": differences_svg(plan, report),
    }
    style = f"<style>{figure_style(plan)}</style></svg>"
    return {
        name: f"{svg.removesuffix('</svg>')}{style}\n".encode()
        for name, svg in figures.items()
        if svg is not None
    }
