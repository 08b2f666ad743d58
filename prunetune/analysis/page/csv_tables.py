"""The CSV tables, for people's own tools."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from prunetune.analysis.evidence.frontier import FrontierRow
from prunetune.analysis.report import Report
from prunetune.config.space.space import flatten
from prunetune.records.record import Record

_NESTED = ("curve", "architecture", "config")


def frontier_csv(report: Report) -> bytes:
    """frontier.csv: one line per study."""
    rows = [row.model_dump(mode="json") for row in report.frontier]
    return _csv(list(FrontierRow.model_fields), rows)


def trials_csv(records: Mapping[str, Record]) -> bytes:
    """trials.csv: one line per record, its facts and then its config by dotted path; no curves."""
    ordered = sorted(records.values(), key=lambda r: (r.started_at or "", r.study or "", r.key))
    rows = [(facts(record), record.config) for record in ordered]
    columns = dict.fromkeys(name for row, _ in rows for name in row) or {"key": None}
    paths = sorted({path for _, config in rows for path in config})
    return _csv([*columns, *paths], [row | config for row, config in rows])


def facts(record: Record) -> dict[str, Any]:
    """The fields of a record without curve, architecture and config; nested ones by dotted name."""
    fields = record.model_dump(mode="json", by_alias=True)
    return flatten({name: value for name, value in fields.items() if name not in _NESTED})


def _csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    """Numbers, text and None as they are; everything else as JSON."""
    if value is None or (isinstance(value, str | int | float) and not isinstance(value, bool)):
        return value
    return json.dumps(value)
