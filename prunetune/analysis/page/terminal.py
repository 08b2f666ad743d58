"""The report as plain text, for a terminal or a log."""

from __future__ import annotations

from collections.abc import Sequence

from prunetune.analysis.format import bare_percent, count, points
from prunetune.analysis.report import Report
from prunetune.analysis.verdicts.sentences import contest_name, state

_HEADER = ("study", "MACs", "test %", "low", "high", "n", "vs dense", "state")


def text_table(report: Report) -> str:
    """The answer; the verdicts, one line per frontier and contest; one line per study."""
    verdicts = [
        f"{contest_name(verdict.budget, verdict.matching)}: {sentence}"
        for verdict, sentence in zip(report.verdicts, report.sentences, strict=True)
    ]
    rows = [
        (
            row.study, count(row.macs), *map(bare_percent, (row.test_acc1, row.low, row.high)),
            str(row.n), points(row.delta_acc1), state(row),
        )
        for row in report.frontier
    ]  # fmt: skip
    spent = f"spent: {count(report.ledger.spent_macs)} MACs, {report.ledger.spent_s / 3600:.2f} h"
    judged = [report.answer, "", *report.frontier_sentences, *verdicts]
    return "\n".join([*judged, "", *aligned([_HEADER, *rows]), "", spent])


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows as lines of aligned columns: the first and the last to the left, others right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    last = len(widths) - 1
    return [
        "  ".join(
            cell.ljust(w) if i in (0, last) else cell.rjust(w)
            for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
