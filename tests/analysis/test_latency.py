"""Latency in the report: every time that was measured, on its own axis of the frontier."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from prunetune.analysis import analyse
from prunetune.analysis.page.figure_panels import frontier_switches
from prunetune.analysis.page.figures.axes import WIDE, axes
from prunetune.analysis.page.figures.frontier_plot import FrontierFigure
from prunetune.analysis.page.html import page
from prunetune.analysis.page.latency_table import latency_tables
from prunetune.analysis.page.view import PageView
from prunetune.records.bench import Bench, Timing
from prunetune.records.record import Record
from prunetune.records.store import Store
from tests.analysis.drawings import marks, number, ruler, texts
from tests.analysis.sweeps import make_plan, noisy, run

BATCHES = (1, 64)


def timing(batch: int, seconds: float, dtype: str) -> Timing:
    return Timing(
        batch=batch, threads=1, dtype=dtype, memory_format="channels_last", median_s=seconds,
        p90_s=2 * seconds, process_medians=(seconds,), calls=9, peak_memory_bytes=1000 * batch,
        weights="trained", measured_at="2026-01-01",
    )  # fmt: skip


def seconds_of(record: Record, batch: int) -> float:
    """In proportion to the MACs at batch 64; the same for all at batch 1."""
    return record.macs * 1e-9 if batch > 1 else 0.001 + 1e-6 * record.seed


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> PageView:
    plan = make_plan(budgets=(0.5, 0.25, 0.1))
    records = run(plan, noisy({"thin": 0.93, "pruned": 0.935}))
    store = Store(tmp_path_factory.mktemp("runs"), plan.sweep)
    for record in records.values():
        if (record.phase, record.seed) in (("dense", 0), ("confirm", 1000)):
            timings = [timing(b, seconds_of(record, b), "float32") for b in BATCHES]
            bench = Bench(
                key=record.key, device="A CPU", macs=record.macs, params=record.params,
                file_bytes=4 * (record.params or 0), timings=tuple(timings),
            )  # fmt: skip
            store.bench_file(record.key, bench.device).write_json(bench)
    return PageView(plan, records, analyse(plan, records, store=store))


def test_the_report_has_every_time_that_was_kept(shown: PageView) -> None:
    studies = {row.study for row in shown.report.frontier}
    assert {row.study for row in shown.report.latencies} == studies | {"dense"}
    assert len(shown.report.latencies) == len(BATCHES) * (len(studies) + 1)
    for row in shown.report.latencies:
        assert row.median_s == seconds_of(shown.records[row.key], row.batch)
    one, many = sorted(shown.report.latency_correlations, key=lambda each: each.batch)
    assert many.spearman == pytest.approx(1)
    assert many.pearson == pytest.approx(1)
    assert abs(one.pearson or 0) < 0.999


def test_the_frontier_against_latency_has_a_mark_per_study_where_its_time_says(
    shown: PageView,
) -> None:
    axis = next(axis for axis in axes(shown) if axis.words == "latency, batch 64")
    root = ET.fromstring(FrontierFigure(shown, axis, "scratch_b", WIDE).svg() or "")
    x = ruler(((at, number(words)) for at, _, words in texts(root, "middle")), log=True)
    read = sorted(x(at) for at, _ in marks(root, "mark", "study"))
    macs = sorted(row.macs for row in shown.report.frontier)
    assert read == pytest.approx([m * 1e-9 * 1000 / 64 for m in macs], rel=0.03)


def test_the_switch_offers_latency_only_where_it_was_measured(shown: PageView) -> None:
    def options(view: PageView) -> list[str]:
        return [words for _, words in frontier_switches(view)[0].options]

    assert options(shown)[-2:] == ["latency, batch 1", "latency, batch 64"]
    untimed = PageView(shown.plan, shown.records, analyse(shown.plan, shown.records))
    assert not any("latency" in words for words in options(untimed))


def test_the_table_has_a_row_per_network_and_a_sentence_per_batch(shown: PageView) -> None:
    (table,) = latency_tables(shown)
    assert table.conditions == "A CPU, 1 thread, float32, channels last"
    assert len(table.lines) == len(shown.report.frontier) + 1
    assert len(table.sentences) == len(BATCHES)
    assert all(len(line.cells) == len(table.columns) for line in table.lines)
    content = page(shown.plan, shown.records, shown.report).decode()
    for text in (table.conditions, table.sentences[1], *table.lines[-1].cells):
        assert text in content


def test_a_damaged_file_of_times_is_named_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store(tmp_path, "s")
    store.bench_file("k", "A").write(b"{}")
    with caplog.at_level("WARNING"):
        assert list(store.benches()) == []
    assert "bench/k/A.json is damaged and left out" in caplog.text
