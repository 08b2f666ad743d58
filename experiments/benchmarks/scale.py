"""What a sweep of thousands of trials costs its driver: trials that only sleep, on simulated slots.

    python experiments/benchmarks/scale.py [--trials N] [--slots N] [--seconds S] [--out NAME]

Everything but the trials is real: Ray and its workers, the agenda, the samplers, records on disk.
A second start then finds all records there, and its time is that of a restart.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import ray

from prunetune.plan import Plan
from prunetune.records.record import Epoch, Record, TrialSpec
from prunetune.records.store import Store
from prunetune.tune.callbacks import Broadcast
from prunetune.tune.driver import Driver
from prunetune.tune.ray import local
from prunetune.tune.ray.token import own_token
from prunetune.tune.ray.tuner import run

fakes: Any = importlib.import_module("tests.tune.fakes")  # as tests are, without types
EPOCHS, ARMS = 2, 20
NOTE = """{trials} trials of {epochs} epochs and {seconds:g} s over {slots} slots, {arms} studies;
Ray {ray}, {cores} cores, load average {before:.0f} before and {after:.0f} after. CPU time and
memory are those of the driver alone. Written by `experiments/benchmarks/scale.py`."""


def sleeper(seconds: float) -> Any:
    """A trial that takes `seconds` and computes nothing."""

    def trial(
        spec: TrialSpec, store: Store, *, device: str, offline: bool
    ) -> Iterator[dict[str, Any]]:
        yield {"macs": spec.target_macs, "params": 1}
        for number in range(1, spec.epochs + 1):
            time.sleep(seconds / spec.epochs)
            yield {"curve": [fakes.epoch(number, 0.5 * number / spec.epochs)]}
        yield {"status": "completed"}

    return trial


def plan_of(trials: int) -> Plan:
    """A plan of about so many trials: half of the arms inherit weights."""
    each = trials // ARMS - 2
    studies = tuple(
        fakes.study(f"arm{n}", 0.5, inherits=bool(n % 2), trials=each, epochs=EPOCHS)
        for n in range(ARMS)
    )
    resources = {"cpus": 1, "gpus": 0, "max_concurrent": "auto"}
    plan: Plan = fakes.make_plan(trials=1, seeds=2, resources=resources)
    return plan.model_copy(update={"studies": studies})


@dataclass
class Meter:
    """An observer that notes the driver's CPU time and memory at every tenth of the records."""

    total: int
    rows: list[tuple[int, float, float, int]] = field(default_factory=list)
    records: int = 0

    def on_dealt(self, spec: TrialSpec) -> None:
        if not self.rows:
            self.note()

    def on_epoch(self, spec: TrialSpec, epoch: Epoch) -> None:
        """Nothing."""

    def on_record(self, record: Record) -> None:
        self.records += 1
        if self.records % max(1, self.total // 10) == 0:
            self.note()

    def close(self) -> None:
        """Nothing."""

    def note(self) -> None:
        rss = psutil.Process().memory_info().rss
        self.rows.append((self.records, time.process_time(), time.monotonic(), rss))


@contextmanager
def simulated(slots: int) -> Iterator[None]:
    """A Ray of this machine that believes in so many processors; `run` takes it as it is."""
    with own_token():
        local.start(num_cpus=slots, num_gpus=0)
        yield
        ray.shutdown()


def restart_seconds(plan: Plan, store: Store) -> float:
    """How long a driver takes to know that nothing is left to do."""
    start = time.perf_counter()
    assert Driver(plan, store, Broadcast(())).finished()
    return time.perf_counter() - start


def table(meter: Meter, restart: float) -> str:
    lines = [
        "| records | CPU ms a trial | wall ms a trial | memory, MB | kB a trial since the first |",
        "|---|---|---|---|---|",
    ]
    first = meter.rows[1]
    for before, row in zip(meter.rows, meter.rows[1:], strict=False):
        count = row[0] - before[0]
        cpu, wall = (1000 * (row[i] - before[i]) / count for i in (1, 2))
        growth = (row[3] - first[3]) / 1000 / (row[0] - first[0]) if row[0] > first[0] else 0.0
        lines.append(f"| {row[0]} | {cpu:.1f} | {wall:.1f} | {row[3] / 1e6:.0f} | {growth:.1f} |")
    return "\n".join([*lines, "", f"Restart with all records: {restart:.1f} s."])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=5000)
    parser.add_argument("--slots", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    plan, before = plan_of(args.trials), os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        store, meter = Store(folder, "fake"), Meter(args.trials)
        with simulated(args.slots):
            run(plan, store, observers=[meter], trial=sleeper(args.seconds))
        text = table(meter, restart_seconds(plan, store))
    note = NOTE.format(
        trials=meter.records, epochs=EPOCHS, seconds=args.seconds, slots=args.slots, arms=ARMS,
        ray=ray.__version__, cores=os.cpu_count(), before=before, after=os.getloadavg()[0],
    )  # fmt: skip
    print(f"{note}\n\n{text}")
    if args.out:
        args.out.with_suffix(".md").write_text(
            f"{note}\n\nPython {platform.python_version()}\n\n{text}\n"
        )


if __name__ == "__main__":
    main()
