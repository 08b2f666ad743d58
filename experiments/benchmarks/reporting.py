"""How long `status`, `report` and `audit` take, and how much memory, on a sweep of 10,000 records.

    python experiments/benchmarks/reporting.py [--keep FOLDER] [--outputs N] [--out NAME]

The sweep is made up: five arms at five budgets, four searches of 95 trials with five confirm seeds
each, of a ResNet-56 with 50 epochs a trial. Accuracies are random, files are as a real sweep writes
them. `--outputs N` also writes the outputs for 10,000 test images of the confirm trials of N
studies. Each command runs in a process of its own, once to warm the disk cache and then measured.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from pydantic import BaseModel
from safetensors.numpy import save_file

from prunetune.config.file.model import SweepSpec
from prunetune.plan import Plan, Study
from prunetune.records.files import to_json
from prunetune.records.record import Record, TrialIdentity, TrialSpec
from prunetune.records.seeds import confirm_seed, search_seed
from prunetune.records.store import Store
from prunetune.sweep import plan_sweep
from prunetune.sweep.plan_file import write_plan

ROOT = Path(__file__).parents[2]
NAME = "ten-thousand"
TRIALS, SEEDS, REPLICATES, EPOCHS = 95, 5, 4, 50
BUDGETS = (0.6, 0.5, 0.4, 0.3, 0.25)
IMAGES, CLASSES = 10_000, 10
LIMITS = {"status": (1.0, 300), "report": (10.0, 1000), "audit": (10.0, 1000)}
"""Seconds by the wall that a command may take, and megabytes."""
LARGEST_PAGE = 5
"""In megabytes."""


def spec() -> SweepSpec:
    """Five arms with searched recipes."""
    pruned = {f"pruned_{c}": {"method": {"channel_pruning": {"criterion": c}}} for c in CRITERIA}
    return SweepSpec.model_validate(
        {
            "name": NAME,
            "workload": {
                "model": {"resnet56": {"shortcut": "B"}},
                "dataset": "digits",
                "dense": {"train": {"epochs": EPOCHS}},
            },
            "budgets": BUDGETS,
            "arms": {"thin": {"method": "width_scaling"}, **pruned},
            "recipe": {
                "optimizer": {"sgd": {"lr": {"float": [0.01, 0.5], "log": True}}},
                "weight_decay": {"float": [1e-5, 1e-2], "log": True},
                "label_smoothing": {"float": [0.0, 0.2]},
            },
            "training": {"finetune_epochs": EPOCHS, "match": ["marginal"]},
            "search": {"trials": TRIALS, "replicates": REPLICATES, "early_stopping": None},
            "confirm": {"seeds": SEEDS},
        }
    )


CRITERIA = ("magnitude", "bn_scale", "lamp", "random")


class MadeUp:
    """Records with random accuracies."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.draw = plan, np.random.default_rng(0)
        layers = plan.dense.architecture["layers"]
        self.architecture = {**plan.dense.architecture, "layers": layers}
        self.n = 0

    def records(self) -> Iterator[Record]:
        """All records of a finished sweep."""
        dense: dict[int, str] = {}
        for replicate in range(REPLICATES):
            for seed in (search_seed(replicate, 0), *self.confirm_seeds(replicate)):
                made = self.record(None, "dense", seed, replicate=replicate)
                dense[seed] = made.key
                yield made
        for study in self.plan.studies:
            start = dense[search_seed(study.replicate, 0)]
            best = -1.0
            for n in range(TRIALS):
                seed = search_seed(study.replicate, n)
                made = self.record(study, "search", seed, number=n, start=start)
                if (made.val_acc1 or 0.0) > best:
                    best, number = made.val_acc1 or 0.0, n
                yield made
            for seed in self.confirm_seeds(study.replicate):
                yield self.record(study, "confirm", seed, number=number, start=dense[seed])

    def confirm_seeds(self, replicate: int) -> list[int]:
        """The seeds of the confirm trials of a replicate."""
        return [confirm_seed(replicate, j) for j in range(SEEDS)]

    def record(
        self, study: Study | None, phase: str, seed: int, start: str = "", **fields: Any
    ) -> Record:
        """One record with a whole curve."""
        self.n += 1
        accuracy = float(np.clip(self.draw.normal(0.93, 0.003), 0, 1))
        macs = int(0.998 * study.target_macs) if study else self.plan.dense.macs
        known: dict[str, Any] = {
            "key": f"{self.n:016x}", "sweep": self.plan.sweep, "phase": phase, "seed": seed,
            "status": "completed", "config": self.config(study), "dense_macs": self.plan.dense.macs,
            "target_macs": study.target_macs if study else self.plan.dense.macs, "macs": macs,
            "dense_params": self.plan.dense.params, "params": self.plan.dense.params,
            "architecture": self.architecture, "epochs": EPOCHS, "epochs_planned": EPOCHS,
            "curve": self.curve(accuracy), "val_acc1": accuracy, "val_acc1_best": accuracy,
            "val_loss": 0.3, "test_acc1": accuracy if phase != "search" else None,
            "test_acc1_best": accuracy if phase != "search" else None,
            "train_macs": {"train": 10**12, "total": 10**12, "spent": 10**12},
            "wall_s": {"train": 100.0, "total": 110.0}, "seeds": {"init": self.n},
            "versions": {"torch": "2.11", "prunetune": "0.1"}, "device": "cpu", "dtype": "fp32",
            "started_at": "2026-01-01T00:00:00.000+00:00",
            "ended_at": "2026-01-01T00:02:00.000+00:00",
        }  # fmt: skip
        if study:
            names = ("arm", "method", "budget", "matching", "replicate")
            known |= {"study": study.id, **{name: getattr(study, name) for name in names}}
            known["inputs"] = {"dense": start} if study.inherits else {}
        return Record.model_validate(known | fields)

    def config(self, study: Study | None) -> dict[str, Any]:
        """A configuration of the study's space."""
        if study is None:
            return dict(self.plan.dense.config)
        return study.space.draw(
            lambda d: float(self.draw.uniform(d.domain.low, d.domain.high))  # type: ignore[union-attr]
        )

    def curve(self, accuracy: float) -> list[dict[str, Any]]:
        """A curve that ends at the accuracy."""
        noise = self.draw.normal(0, 0.01, EPOCHS).cumsum()[::-1]
        return [
            {
                "epoch": i + 1, "train_loss": 1 / (i + 1), "val_loss": 0.3 + 0.5 / (i + 1),
                "val_acc1": float(np.clip(accuracy - abs(noise[i]), 0, 1)),
                "lr": 0.1 * (1 - i / EPOCHS), "seconds": 2.0,
            }
            for i in range(EPOCHS)
        ]  # fmt: skip


def make(storage: Path, n_outputs: int) -> int:
    """Write the sweep as a real one writes it; return the number of its records."""
    plan = plan_sweep(made := spec())
    store = Store(storage, plan.sweep)
    write_plan(store, made, plan)
    kept = {study.id for study in plan.studies[:n_outputs]}
    count = 0
    for record in MadeUp(plan).records():
        if record.phase == "confirm" and record.study in kept:
            record = write_outputs(store, record, count)
        write(store.record_file(record.key).path, record)
        write(store.trial_folder(record.key).trial.path, spec_of(plan, record))
        count += 1
    return count


def spec_of(plan: Plan, record: Record) -> TrialSpec:
    """The trial as it was dealt."""
    shared = set(TrialIdentity.model_fields) | {"config", "inputs", "dense_macs", "dense_params"}
    facts = record.model_dump(include=shared - {"schema_"})
    return TrialSpec(
        **facts, workload=plan.workload, target_macs=record.target_macs, tolerance=plan.tolerance,
        epochs=record.epochs_planned,
    )  # fmt: skip


def write_outputs(store: Store, record: Record, seed: int) -> Record:
    """The record with outputs of a network that is right in 93 % of the images."""
    draw, labels = np.random.default_rng(seed), np.arange(IMAGES, dtype=np.int64) % CLASSES
    right = np.where(draw.random(IMAGES) < 0.93, labels, (labels + 1) % CLASSES)
    logits = draw.normal(0, 1, (IMAGES, CLASSES)) + 5 * np.eye(CLASSES)[right]
    log_probs = (logits - np.log(np.exp(logits).sum(1, keepdims=True))).astype(np.float32)
    file = store.trial_folder(record.key).test_outputs
    file.path.parent.mkdir(parents=True, exist_ok=True)
    predicted = log_probs.argmax(1).astype(np.int32)
    save_file({"log_probs": log_probs, "labels": labels, "predicted": predicted}, file.path)
    return record.model_copy(update={"test_outputs": store.address(file)})


def write(path: Path, content: BaseModel) -> None:
    """Write a file as the store does, but without waiting for the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(to_json(content))


class Run(NamedTuple):
    """One run of a command."""

    wall: float
    """Seconds by the wall."""
    cpu: float
    """Seconds of the processor."""
    memory: float
    """The most megabytes that it held."""


def measured(words: list[str]) -> Run:
    """Run a command in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command, start = [sys.executable, "-m", "prunetune.cli", *words], time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) not in (0, 1):
        raise SystemExit(f"prunetune {' '.join(words)} failed")
    cpu = usage.ru_utime + usage.ru_stime
    return Run(time.perf_counter() - start, cpu, usage.ru_maxrss / 1024)


def table(storage: Path, repeats: int) -> str:
    """The result as Markdown."""
    rows = []
    for verb, (limit, most_memory) in LIMITS.items():
        runs = [measured([verb, str(storage / NAME)]) for _ in range(repeats + 1)]
        first, later = runs[0], runs[1:]
        cells = [f"{first.wall:.1f} ({first.cpu:.2f})"]
        cells.append(f"{median(r.wall for r in later):.1f} ({median(r.cpu for r in later):.2f})")
        rows.append(
            f"| `prunetune {verb}` | {cells[0]} | {cells[1]} | {limit:g} | "
            f"{max(run.memory for run in runs):.0f} | {most_memory} |"
        )
    store = Store(storage, NAME)
    records = store.records().values()  # read last: a child starts with our own memory
    n_outputs = sum(record.test_outputs is not None for record in records)
    folder = store.report_folder
    sizes = {n: folder.file(n).path.stat().st_size / 1e6 for n in ("index.html", "report.json")}
    head = ("command", "first, s", "again, s", "limit, s", "memory, MB", "limit, MB")
    note = f"""{len(records):,} records; {n_outputs} confirmed networks have outputs for
{IMAGES:,} test images. Seconds by the wall and, in brackets, of the processor: a first run, and the
median of {repeats} more. Python {platform.python_version()}, one thread, {os.cpu_count()} cores;
load average {os.getloadavg()[0]:.1f}: far above 1, only the processor's seconds say what an idle
machine would take. The page has {sizes["index.html"]:.2f} MB (limit {LARGEST_PAGE:g}), report.json
{sizes["report.json"]:.2f} MB. Written by `experiments/benchmarks/reporting.py`."""
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|", *rows]
    return "\n".join([*lines, "", note, ""])


def main() -> None:
    """Make the sweep, measure, print, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, help="folder of the made-up sweep, made once")
    parser.add_argument("--outputs", type=int, default=0, help="studies with outputs per image")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, help="Markdown file for the table")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        storage = options.keep or Path(scratch)
        store = Store(storage, NAME)
        if not store.exists():
            make(storage, options.outputs)
        text = table(storage, options.repeats)
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
