"""Prints times of networks as a table: a row a network, a column a batch."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from prunetune.analysis.evidence.latencies import Latency, LatencyCorrelation
from prunetune.analysis.format import correlation_words, count, in_milliseconds
from prunetune.cli.tables import table_console


def print_latencies(timed: Sequence[Latency], correlations: Sequence[LatencyCorrelation]) -> None:
    """Print what `prunetune bench` measured."""
    batches = list(dict.fromkeys(latency.batch for latency in timed))
    table = Table(title=str(timed[0].conditions))
    for name in ("network", "MACs", "parameters", "file"):
        table.add_column(name, justify="left" if name == "network" else "right")
    for batch in batches:
        table.add_column(f"ms, batch {batch}\nmedian (p90)", justify="right")
    table.add_column(f"peak memory\nbatch {batches[-1]}", justify="right")
    if any(latency.energy_j_per_image for latency in timed):
        table.add_column(f"mJ an image\nbatch {batches[-1]}", justify="right")
    networks: dict[str, list[Latency]] = {}
    for latency in timed:
        networks.setdefault(latency.key, []).append(latency)
    for rows in networks.values():
        table.add_row(*_cells(rows))
    shown = table_console()
    shown.print(table)
    for each in correlations:
        shown.print(correlation_words(each.batch, each.networks, each.pearson, each.spearman))


def _cells(rows: Sequence[Latency]) -> list[str]:
    first, last = rows[0], rows[-1]
    times = [f"{in_milliseconds(row.median_s)} ({in_milliseconds(row.p90_s)})" for row in rows]
    energy = last.energy_j_per_image
    return [
        f"{first.study}, seed {first.seed}",
        count(first.macs),
        count(first.params),
        f"{count(first.file_bytes)}B",
        *times,
        "" if last.peak_memory_bytes is None else f"{count(last.peak_memory_bytes)}B",
        *([f"{1000 * energy:.3g}"] if energy else []),
    ]
