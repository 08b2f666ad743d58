"""The files of a report: what it says to programs, to spreadsheets and to people."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from prunetune.analysis.page.csv_tables import frontier_csv, trials_csv
from prunetune.analysis.page.html import figure_files, page
from prunetune.analysis.report import Report, analyse
from prunetune.plan import Plan
from prunetune.records.record import Record
from prunetune.records.store import to_json, write_whole


def write_report(plan: Plan, records: Mapping[str, Record], folder: Path) -> Report:
    """Write report.json, frontier.csv, trials.csv, the figures and index.html under `folder`."""
    report = analyse(plan, records)
    write_whole(folder / "report.json", to_json(report))
    write_whole(folder / "frontier.csv", frontier_csv(report))
    write_whole(folder / "trials.csv", trials_csv(records))
    for name, content in figure_files(plan, report).items():
        write_whole(folder / name, content)
    write_whole(folder / "index.html", page(plan, records, report))
    return report
