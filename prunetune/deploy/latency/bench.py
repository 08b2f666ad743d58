"""Times networks over fresh processes and stores what came out beside their sweeps."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median

import numpy as np
import torch

from prunetune.deploy.latency.job import Answer, Measured, NetworkFile, TimingJob
from prunetune.records.bench import Bench, MemoryFormat, Timing, read_bench
from prunetune.records.record import Record
from prunetune.records.record_builder import now
from prunetune.records.store import Store
from prunetune.registry import plugin_folders

_log = logging.getLogger(__name__)


class TimingError(RuntimeError):
    """A timing process ended without an answer."""

    exit_code = 3


@dataclass(frozen=True)
class BenchTarget:
    """A finished trial whose network is timed."""

    store: Store
    record: Record
    masked: bool = False
    """Whether its MACs count nonzero weights alone."""


@dataclass(frozen=True)
class BenchSetting:
    """How networks are timed."""

    batches: tuple[int, ...] = (1, 64, 256)
    device: str = "auto"
    threads: int = 1
    dtype: str = "float32"
    memory_format: MemoryFormat = "channels_last"
    processes: int = 3
    seconds: float = 0.5
    """How long each network is timed at each batch in each process, about."""


def bench_networks(
    targets: Sequence[BenchTarget], setting: BenchSetting, plugins: Sequence[str] = ()
) -> list[Bench]:
    """Time the networks, store the times, and return them in the order of the targets.

    Raises:
        TimingError: a process that times them failed.
        StorageError: the times cannot be stored.
    """
    with ExitStack() as files:
        networks = tuple(_network(target, files) for target in targets)
        answers = []
        for number in range(setting.processes):
            _log.info("timing %d networks, process %d", len(networks), number + 1)
            answers.append(_in_a_process(_job(networks, setting, number, plugins)))
    benches = []
    for target, network in zip(targets, networks, strict=True):
        bench = _bench(target, network, setting, answers)
        file = target.store.bench_file(bench.key, bench.device)
        if file.exists() and (former := read_bench(file)) is not None:
            bench = former.with_timings(bench.timings)
        file.write_json(bench)
        benches.append(bench)
    return benches


def _network(target: BenchTarget, files: ExitStack) -> NetworkFile:
    record = target.record
    assert record.architecture is not None
    weights = target.store.network_folder(record).weights
    path = str(files.enter_context(weights.local())) if weights.exists() else None
    return NetworkFile(key=record.key, architecture=record.architecture, weights=path)


def _job(
    networks: tuple[NetworkFile, ...], setting: BenchSetting, number: int, plugins: Sequence[str]
) -> TimingJob:
    device = setting.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return TimingJob(
        networks=networks,
        batches=setting.batches,
        device=device,
        threads=setting.threads,
        dtype=setting.dtype,
        memory_format=setting.memory_format,
        seconds=setting.seconds,
        seed=number,
        memory=number == 0,
        plugins=tuple(plugins),
        folders=plugin_folders(plugins),
    )


def _in_a_process(job: TimingJob) -> Answer:
    threads = {f"{library}_NUM_THREADS": str(job.threads) for library in ("OMP", "MKL")}
    done = subprocess.run(
        [sys.executable, "-m", "prunetune.deploy.latency.worker"],
        input=job.model_dump_json(),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **threads},
    )
    if done.returncode:
        last = done.stderr.strip().rpartition("\n")[2]
        raise TimingError(f"a process that times networks ended with {done.returncode}: {last}")
    return Answer.model_validate_json(done.stdout.strip().rpartition("\n")[2])


def _bench(
    target: BenchTarget, network: NetworkFile, setting: BenchSetting, answers: Sequence[Answer]
) -> Bench:
    key = target.record.key
    first = answers[0]

    def of(batch: int) -> list[Measured]:
        return [m for a in answers for m in a.measured if (m.key, m.batch) == (key, batch)]

    return Bench(
        key=key,
        device=first.device,
        macs=target.record.macs,
        params=target.record.params,
        file_bytes=first.file_bytes[key],
        timings=tuple(_timing(of, batch, network, setting, first) for batch in setting.batches),
    )


def _timing(
    of: Callable[[int], list[Measured]],
    batch: int,
    network: NetworkFile,
    setting: BenchSetting,
    first: Answer,
) -> Timing:
    measured = of(batch)
    medians = tuple(median(m.seconds) for m in measured)
    calls = [second for m in measured for second in m.seconds]
    return Timing(
        batch=batch,
        threads=setting.threads,
        dtype=setting.dtype,
        memory_format=setting.memory_format,
        median_s=median(medians),
        p90_s=float(np.quantile(calls, 0.9)),
        process_medians=medians,
        calls=len(calls),
        peak_memory_bytes=measured[0].peak_memory_bytes,
        energy_j_per_image=measured[0].energy_j_per_image,
        weights="initial" if network.weights is None else "trained",
        versions=first.versions,
        measured_at=now(),
    )
