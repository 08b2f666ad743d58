"""How much of the slots' time do trials train, and what does a trial cost beyond its training?

    python experiments/benchmarks/efficiency.py [--wait SECONDS] [--out results/NAME]

Runs the sweep of efficiency.yaml through `prunetune.tune`: real trials on the embedded digits, or
with `--wait` trials that only wait, ten epochs of a tenth of SECONDS each, which measures the
orchestration alone on a machine that others use as well.

Efficiency is the trials' training seconds (epochs, each with its validation and checkpoint) over
slots times the seconds from the first trial's start to the last one's end. What is missing to 1
holds everything else: start of the actors and their imports, data, surgery, test evaluation,
records, the sampler, the tail when the last trial runs alone. The fixed cost is the median trial's,
on an actor that has run another before: inside, its seconds beyond training; between, the seconds
until the next trial has its slot.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from prunetune.records.files import to_json, write_whole
from prunetune.records.record import Record
from prunetune.records.record_builder import now
from prunetune.records.store import Store
from prunetune.sweep import plan_sweep
from prunetune.tune.console import SweepConsole
from prunetune.tune.ray.tuner import run

SWEEP = Path(__file__).with_suffix(".yaml")
EPOCHS = 10
LIMITS = {"efficiency": 0.9, "fixed_s": 0.5}


def waiting(spec: Any, store: Any, *, device: str, offline: bool, seconds: float) -> Iterator[Any]:
    """A trial that waits where others train."""
    start = time.perf_counter()
    yield {"macs": spec.target_macs, "started_at": now()}
    for epoch in range(1, EPOCHS + 1):
        time.sleep(seconds / EPOCHS)
        facts = {"train_loss": 1.0, "val_loss": 1.0, "val_acc1": 0.5, "lr": 0.1}
        yield {"curve": [{"epoch": epoch, **facts, "seconds": seconds / EPOCHS}]}
    total = time.perf_counter() - start
    yield {"status": "completed", "wall_s": {"train": seconds, "total": total}}


def measure(records: list[Record], slots: int) -> dict[str, Any]:
    """The figures, from finished records alone."""
    training = [r.wall_s["train"] for r in records]
    epochs = sum(epoch.seconds for r in records for epoch in r.curve)
    starts = [datetime.fromisoformat(r.started_at or "").timestamp() for r in records]
    ends = [datetime.fromisoformat(r.ended_at or "").timestamp() for r in records]
    span = max(ends) - min(starts)
    inside = [r.wall_s["total"] - t for r, t in zip(records, training, strict=True)]
    gaps = between(starts, ends, slots)
    return {
        "trials": len(records),
        "slots": slots,
        "median_trial_s": round(median(training), 3),
        "training_s": round(sum(training), 2),
        "checkpoints_s": round(sum(training) - epochs, 2),
        "span_s": round(span, 2),
        "efficiency": round(sum(training) / (slots * span), 4),
        "fixed_s": round(median(inside) + median(gaps), 4),
        "fixed_inside_s": round(median(inside), 4),
        "fixed_between_s": round(median(gaps), 4),
        "beyond_training_s_mean": round((slots * span - sum(training)) / len(records), 4),
    }


def between(starts: list[float], ends: list[float], slots: int) -> list[float]:
    """Seconds from the end of a trial to the start of the one that took its slot."""
    free = sorted(ends)
    return [start - free[i] for i, start in enumerate(sorted(starts)[slots:])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--wait", type=float, help="seconds of a trial that only waits")
    parser.add_argument("--out", type=Path, help="write NAME.json")
    options = parser.parse_args()
    plan = plan_sweep(SWEEP)
    trial = partial(waiting, seconds=options.wait) if options.wait else None
    load = os.getloadavg()
    with tempfile.TemporaryDirectory() as storage:
        store = Store(storage, plan.sweep)
        run(plan, store, observers=[SweepConsole(plan, store)], trial=trial)
        records = list(store.records().values())
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    found = {
        "measured_at": now(),
        "commit": commit.stdout.strip(),
        "trials_are": f"waits of {options.wait:g} s" if trial else "ResNet-20 on digits",
        "cpus": os.cpu_count(),
        "load_before": round(load[0], 2),
        "load_after": round(os.getloadavg()[0], 2),
        **measure(records, plan.resources["max_concurrent"]),
        "limits": LIMITS,
    }
    print(json.dumps(found, indent=1))
    if options.out:
        write_whole(options.out.with_suffix(".json"), to_json(found))


if __name__ == "__main__":
    main()
