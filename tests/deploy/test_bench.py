"""Networks are timed in turns, and what was measured is kept beside their records."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from prunetune import load_winner
from prunetune.analysis.evidence.latencies import latencies_of, latency_correlations
from prunetune.deploy.latency import worker
from prunetune.deploy.latency.job import NetworkFile, TimingJob
from prunetune.records.bench import Bench, Timing
from prunetune.records.record import Record
from prunetune.records.store import Store
from tests.cli.command import prunetune


@pytest.fixture(scope="module")
def confirmed(swept: Store) -> dict[str, Record]:
    ended = sorted(swept.records().values(), key=lambda r: r.seed, reverse=True)
    return {r.study: r for r in ended if r.phase == "confirm" and r.study}


def job(swept: Store, confirmed: dict[str, Record], **fields: object) -> TimingJob:
    files = tuple(
        NetworkFile(
            key=record.key,
            architecture=record.architecture,
            weights=str(swept.network_folder(record).weights.path),
        )
        for record in confirmed.values()
    )
    facts = {
        "networks": files, "batches": (1, 8), "device": "cpu", "threads": 1, "dtype": "float32",
        "memory_format": "channels_last", "seconds": 0.01, "seed": 3, "memory": True,
    }  # fmt: skip
    return TimingJob(**{**facts, **fields})


def test_each_network_is_timed_at_each_batch(swept: Store, confirmed: dict[str, Record]) -> None:
    answer = worker.time_networks(job(swept, confirmed))
    assert {(m.key, m.batch) for m in answer.measured} == {
        (r.key, batch) for r in confirmed.values() for batch in (1, 8)
    }
    for batch in (1, 8):
        counts = {len(m.seconds) for m in answer.measured if m.batch == batch}
        assert len(counts) == 1  # all networks alike
        assert min(counts) >= 5
    assert all(second > 0 for m in answer.measured for second in m.seconds)
    for record in confirmed.values():
        file = swept.network_folder(record).weights
        assert answer.file_bytes[record.key] == len(file.read())


def test_peak_memory_holds_weights_and_images_and_grows_with_the_batch(
    swept: Store, confirmed: dict[str, Record]
) -> None:
    answer = worker.time_networks(job(swept, confirmed, batches=(2, 4, 8)))
    for study, record in confirmed.items():
        model = load_winner("small", study, swept.storage)
        weights = sum(t.numel() * t.element_size() for t in model.state_dict().values())
        peaks = [m.peak_memory_bytes for m in answer.measured if m.key == record.key]
        assert weights + 2 * 64 * 4 < peaks[0] < peaks[1] < peaks[2]
        # activations are in proportion to the batch; what does not grow is nearly the weights
        assert peaks[2] - peaks[1] == pytest.approx(2 * (peaks[1] - peaks[0]), rel=0.25)


def test_networks_take_turns_in_an_order_that_changes(
    swept: Store, confirmed: dict[str, Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[int] = []

    def logged(model: nn.Module, images: torch.Tensor) -> Callable[[], object]:
        return lambda: called.append(id(model))

    monkeypatch.setattr(worker, "_call", logged)
    monkeypatch.setattr(worker, "_warm_up", lambda call: 1e-4)
    worker.time_networks(job(swept, confirmed, batches=(1,), memory=False))
    rounds = list(zip(called[::2], called[1::2], strict=True))
    assert len(rounds) == 100
    assert all(len(set(turn)) == 2 for turn in rounds)
    assert 20 < sum(turn == rounds[0] for turn in rounds) < 80


def benched(swept: Store, *words: object) -> dict:
    done = prunetune(
        "bench", *words, "--storage", swept.storage, "--processes", 1, "--seconds", 0.01, "--json"
    )
    assert done.returncode == 0, done.stderr
    facts: dict = json.loads(done.stdout)
    return facts


@pytest.mark.slow
def test_a_sweep_has_its_dense_network_and_one_of_each_study_timed_and_kept(
    swept: Store, confirmed: dict[str, Record]
) -> None:
    facts = benched(swept, "small", "--batch", 2, "--batch", 5)
    assert {row["study"] for row in facts["latencies"]} == {"dense", *confirmed}
    kept = {bench.key: bench for bench in swept.benches()}
    assert {row["key"] for row in facts["latencies"]} == kept.keys()
    first = next(iter(confirmed.values()))
    before = kept[first.key]
    benched(swept, first.key, "--batch", 5)
    after = {bench.key: bench for bench in swept.benches()}[first.key]
    assert [timing.batch for timing in after.timings] == [2, 5]
    assert after.timings[0] == before.timings[0]
    assert after.timings[1] != before.timings[1]


@pytest.mark.parametrize(
    "words", [["nothing"], ["small", "--device", "tpu"], ["small", "--threads", "0"]]
)
def test_bad_input_is_refused(swept: Store, words: list[str]) -> None:
    done = prunetune("bench", *words, "--storage", swept.storage)
    assert done.returncode == 2
    assert done.stdout == ""


def test_correlations_compare_what_was_timed_under_equal_conditions(
    confirmed: dict[str, Record],
) -> None:
    record = next(iter(confirmed.values()))

    def timed(macs: int, seconds: float, dtype: str = "float32") -> tuple[Record, Bench]:
        timing = Timing(
            batch=1, threads=1, dtype=dtype, memory_format="contiguous", median_s=seconds,
            p90_s=seconds, process_medians=(seconds,), calls=1, weights="initial",
            measured_at="",
        )  # fmt: skip
        changed = record.model_copy(update={"macs": macs})
        bench = Bench(
            key=record.key, device="A", macs=macs, params=1, file_bytes=1, timings=(timing,)
        )
        return changed, bench

    pairs = [timed(100, 0.1), timed(200, 0.2), timed(900, 0.3), timed(50, 9.0, "bfloat16")]
    rows = [latency for changed, bench in pairs for latency in latencies_of(changed, bench)]
    float32, bfloat16 = latency_correlations(rows)
    assert (float32.networks, bfloat16.networks) == (3, 1)
    assert float32.spearman == pytest.approx(1)
    assert 0.8 < float32.pearson < 0.99
    assert bfloat16.pearson is None


def test_a_device_with_any_name_has_a_file(swept: Store) -> None:
    assert swept.bench_file("k", "NVIDIA H200 (80 GB)/x").place == Path(
        swept.root, "bench", "k", "NVIDIA-H200-80-GB-x.json"
    )
