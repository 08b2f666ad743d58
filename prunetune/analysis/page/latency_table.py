"""The tables of latencies, every cell as text: one table for each set of conditions."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean

from prunetune.analysis.evidence.latencies import Latency
from prunetune.analysis.format import NOTHING, correlation_words, count, in_milliseconds
from prunetune.analysis.page.view import PageView
from prunetune.records.bench import Conditions


@dataclass(frozen=True)
class LatencyLine:
    """One network."""

    arm: str
    name: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class LatencyTable:
    """Networks that were timed under the same conditions."""

    conditions: str
    columns: tuple[str, ...]
    lines: tuple[LatencyLine, ...]
    sentences: tuple[str, ...]
    """How closely times follow MACs, one a batch."""


def latency_tables(view: PageView) -> list[LatencyTable]:
    """A table for each set of conditions under which networks were timed."""
    found = dict.fromkeys(latency.conditions for latency in view.report.latencies)
    tables = []
    for conditions in found:
        rows = [row for row in view.report.latencies if row.conditions == conditions]
        batches = sorted({row.batch for row in rows})
        networks = dict.fromkeys(row.key for row in rows)
        energy = any(row.energy_j_per_image for row in rows)
        lines = [_line(view, [r for r in rows if r.key == k], batches, energy) for k in networks]
        times = [f"ms, batch {batch}: median (90th percentile)" for batch in batches]
        drawn = [f"mJ an image, batch {batches[-1]}"] if energy else []
        columns = ("MACs", "file", *times, f"peak memory, batch {batches[-1]}", *drawn)
        sentences = tuple(
            correlation_words(each.batch, each.networks, each.pearson, each.spearman)
            for each in view.report.latency_correlations
            if (each.device, each.threads, each.dtype, each.memory_format) == conditions
        )
        tables.append(LatencyTable(str(conditions), columns, tuple(lines), sentences))
    return tables


def latency_of_study(
    view: PageView, conditions: Conditions, batch: int, study: str
) -> float | None:
    """Milliseconds an image, the mean over the networks of the study that were timed so."""
    values = [
        1000 * row.median_s / batch
        for row in view.report.latencies
        if (row.study, row.batch) == (study, batch) and row.conditions == conditions
    ]
    return fmean(values) if values else None


def _line(view: PageView, rows: list[Latency], batches: list[int], energy: bool) -> LatencyLine:
    first, by_batch = rows[0], {row.batch: row for row in rows}
    arms = {row.study: row.arm for row in view.rows}
    last = by_batch.get(batches[-1])
    memory = last.peak_memory_bytes if last else None
    joules = last.energy_j_per_image if last else None
    drawn = [NOTHING if joules is None else f"{1000 * joules:.3g}"] if energy else []
    cells = (
        count(first.macs),
        f"{count(first.file_bytes)}B",
        *(_time(by_batch.get(batch)) for batch in batches),
        NOTHING if memory is None else f"{count(memory)}B",
        *drawn,
    )
    name = "dense network" if first.study == "dense" else first.study
    return LatencyLine(arms.get(first.study, ""), f"{name}, seed {first.seed}", cells)


def _time(row: Latency | None) -> str:
    if row is None:
        return NOTHING
    return f"{in_milliseconds(row.median_s)} ({in_milliseconds(row.p90_s)})"
