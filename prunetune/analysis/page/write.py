"""The files of a report: for programs, for spreadsheets and for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prunetune.analysis.page.comparison import (
    comparison_files,
    comparison_json,
    comparison_page,
)
from prunetune.analysis.page.csv_tables import frontier_csv, trials_csv
from prunetune.analysis.page.figure_files import figure_files
from prunetune.analysis.page.html import page
from prunetune.analysis.page.view import PageView
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
    for name, content in figure_files(PageView(plan, records, report)).items():
        folder.file(name).write(content)
    folder.file("index.html").write(page(plan, records, report))
    return report


def write_comparison(views: Sequence[PageView], folder: StoredFolder) -> None:
    """Write index.html, comparison.json and the forest plots of several sweeps to `folder`.

    Each view's `base` is the address of its sweep's page, as seen from `folder`.
    """
    folder.file("comparison.json").write(comparison_json(views))
    for name, content in comparison_files(views).items():
        folder.file(name).write(content)
    folder.file("index.html").write(comparison_page(views))
