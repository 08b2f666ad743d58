"""Kills a sweep's driver and workers at random moments, and compares what there is at the end.

    python -m experiments.benchmarks.chaos [--kills 20] [--only NAME] [--set PATH=VALUE] [--out …]

Each sweep is the quick start's. The driver is killed (kill -9) so many times and started again by
the same command; its workers are killed as often. With a random sampler and no early stopping the
records must be those of a run that nobody disturbed, to the last bit but for times, memory and what
was spent. With TPE and early stopping, whose answers depend on the order in which trials end, all
trials must be there once, and each confirm trial that was interrupted is run again by itself.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from prunetune.agenda import counts
from prunetune.cli.exits import SURROUNDINGS
from prunetune.plan import Plan
from prunetune.records.record import Record
from prunetune.records.record_builder import RecordBuilder
from prunetune.records.store import Store
from prunetune.sweep import load_plan
from prunetune.trial import run_trial

ROOT = Path(__file__).parents[2]
TITLES = {
    "random": "random sampler, no early stopping",
    "learning": "TPE and early stopping (ASHA)",
}
OVERRIDES = {
    "random": ("search.sampler=random", "search.early_stopping=null"),
    "learning": (
        "search.sampler={tpe: {n_startup_trials: 4}}",
        "search.early_stopping={asha: {reduction: 3}}",
        "search.trials=9",
        "budgets=[0.5, 0.25]",
        "confirm.contrasts=null",
    ),
}
FREE = {"started_at", "ended_at", "wall_s", "peak_memory_bytes"}
PATIENCE_S = 900
HEADING = """| sweep | trials | driver killed | worker killed | starts | lost | repeated | differ |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |"""


@dataclass
class Course:
    """What happened to a sweep until it ended."""

    kills: Counter[str] = field(default_factory=Counter)
    starts: int = 0
    changed: set[str] = field(default_factory=set)
    """Keys whose record was not there any more, or another one, after a kill."""
    interrupted: set[str] = field(default_factory=set)
    """Keys of the trials that were under way at a kill."""
    exit_code: int | None = None


class Chaos:
    """One sweep under attack."""

    def __init__(self, storage: Path, overrides: Sequence[str], rng: random.Random) -> None:
        words = ["sweep", "quickstart", "--offline", "--storage", str(storage)]
        options = [word for override in overrides for word in ("--set", override)]
        self.command = [sys.executable, "-m", "prunetune.cli", *words, *options]
        self.folder, self.rng = storage / "quickstart", rng
        self.log = storage.with_suffix(".log")
        self.course = Course()
        self._seen: dict[str, bytes] = {}

    def run(self, kills: int) -> Course:
        """Run to the end, with so many kills of the driver and so many of workers."""
        whom = ["driver", "worker"] * kills
        self.rng.shuffle(whom)
        process, since = self._start()
        while whom and self.course.starts < 4 * kills:
            at_work = whom[-1] == "worker" or self.rng.random() < 0.7
            self._wait(process, since, 1 - len(whom) / (2 * kills), at_work=at_work)
            if process.poll() == SURROUNDINGS:  # Ray did not start on a machine that is too busy
                process, since = self._start()
            elif process.poll() is not None:
                break
            elif self._kill(process, whom[-1]):
                since = time.time()
                self._look()
                if whom.pop() == "driver":
                    process.wait()
                    process, since = self._start()
        while process.wait() == SURROUNDINGS and self.course.starts < 4 * kills + 8:
            process, since = self._start()
        self.course.exit_code = process.returncode
        self._look()
        return self.course

    def _start(self) -> tuple[subprocess.Popen[bytes], float]:
        self.course.starts += 1
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                self.command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True
            )
        return process, time.time()

    def _wait(
        self, process: subprocess.Popen[bytes], since: float, share: float, *, at_work: bool
    ) -> None:
        """A random moment while the sweep starts, or after it has trained on since the last kill.

        A trial whose worker dies six times before it gets further is closed, and rightly so. Kills
        are spread over the sweep, so that no phase is spared: about `share` of its trials are done.
        """
        if not at_work:
            time.sleep(self.rng.uniform(0, 20))
            return
        deadline = time.monotonic() + PATIENCE_S
        while process.poll() is None and (self._last_epoch() < since or self._done() < share):
            assert time.monotonic() < deadline, f"no progress, see {self.log}"
            time.sleep(0.1)
        time.sleep(self.rng.uniform(0, 2))

    def _done(self) -> float:
        """The share of the sweep's trials that have a record, a little more than that."""
        if not (self.folder / "plan.json").exists():
            return 0.0
        owed = counts(load_plan(Store(self.folder.parent, self.folder.name))).total.total
        return len(list(self.folder.glob("records/*.json"))) / (0.95 * owed)

    def _last_epoch(self) -> float:
        """When an epoch last began."""
        times = [file.stat().st_mtime for file in self.folder.glob("trials/*/spent.json")]
        return max(times, default=0.0)

    def _kill(self, process: subprocess.Popen[bytes], whom: str) -> bool:
        if whom == "driver":
            process.kill()
            self.course.kills[whom] += 1
            return True
        workers = list(_workers(process.pid))
        if workers:
            with_luck = self.rng.choice(workers)
            os.kill(with_luck, signal.SIGKILL)
            self.course.kills[whom] += 1
        return bool(workers)

    def _look(self) -> None:
        """Note which trials are under way, and compare the records with those seen before."""
        records = {file.stem: file.read_bytes() for file in self.folder.glob("records/*.json")}
        for key, content in self._seen.items():
            if records.get(key) != content:
                self.course.changed.add(key)
        self._seen = records
        begun = {file.parent.name for file in self.folder.glob("trials/*/spent.json")}
        self.course.interrupted |= begun - records.keys()


def _workers(driver: int) -> Iterator[int]:
    """The processes that run trials for a driver."""
    for process in psutil.Process(driver).children(recursive=True):
        try:
            if " ".join(process.cmdline()).startswith(("ray::TrialActor", "prunetune ")):
                yield process.pid
        except psutil.Error:
            continue


def facts(record: Record) -> dict[str, Any]:
    """What two runs of a trial must agree in: all but times, memory and what was spent."""
    tree: dict[str, Any] = record.model_dump(mode="json", exclude=FREE)
    del tree["train_macs"]["spent"]
    for epoch in tree["curve"]:
        del epoch["seconds"]
    return tree


def repeated(store: Store) -> set[str]:
    """Trials that were run after their record had been written."""
    found = set()
    for key in store.records():
        spent = store.trial_folder(key).spent
        written = store.record_file(key).path.stat().st_mtime
        if spent.exists() and spent.path.stat().st_mtime > written:
            found.add(key)
    return found


def run_again(store: Store, keys: set[str], folder: Path) -> set[str]:
    """The confirm trials among `keys` that end otherwise if they run alone and undisturbed."""
    shutil.copytree(folder.with_name("learning") / "dense", folder / "dense")
    alone, differ, count = Store(folder, store.sweep), set(), 0
    for key, record in store.records().items():
        if key in keys and record.phase == "confirm":
            builder, spec = RecordBuilder(store.trial(key)), store.trial(key)
            for report in run_trial(spec, alone, offline=True):
                builder.add(report)
            count += 1
            if facts(builder.record()) != facts(record):
                differ.add(key)
    print(f"{count} confirm trials were interrupted and run again", flush=True)
    return differ


def attacked(
    name: str, kills: int, rng: random.Random, overrides: Sequence[str], scratch: Path
) -> str:
    """The table's line about one sweep."""
    changes = (*OVERRIDES[name], *overrides)
    calm = Chaos(scratch / "calm", changes, rng)
    with ThreadPoolExecutor() as beside:
        undisturbed = beside.submit(calm.run, 0) if name == "random" else None
        chaos = Chaos(scratch / name, changes, rng)
        course = chaos.run(kills)
    assert course.exit_code == 0, chaos.log.read_text()[-2000:]
    store = Store(scratch / name, "quickstart")
    plan: Plan = load_plan(store)
    records, owed = store.records(), counts(plan).total.total
    ends = Counter(record.status for record in records.values())
    print(name, course.exit_code, dict(ends), f"{len(course.interrupted)} interrupted", flush=True)
    lost = owed - len(records)
    twice = len(course.changed | repeated(store))
    if undisturbed is not None:
        assert undisturbed.result().exit_code == 0, calm.log.read_text()[-2000:]
        whole = Store(scratch / "calm", "quickstart").records()
        differ = {k for k in whole if k not in records or facts(whole[k]) != facts(records[k])}
        differing = f"{len(differ)} of {len(whole)} records"
        assert records.keys() == whole.keys()
    else:
        differ = run_again(store, course.interrupted, scratch / "alone")
        tried = [k for k in course.interrupted if records[k].phase == "confirm"]
        differing = f"{len(differ)} of {len(tried)} interrupted confirm trials"
    killed = course.kills
    return (
        f"| {TITLES[name]} | {len(records)} | {killed['driver']} | {killed['worker']} | "
        f"{course.starts} | {lost} | {twice} | {differing} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], help="change the sweep further")
    parser.add_argument("--only", choices=OVERRIDES)
    parser.add_argument("--out", type=Path, help="write the table to NAME.md")
    options = parser.parse_args()
    names = [options.only] if options.only else list(OVERRIDES)
    with tempfile.TemporaryDirectory(prefix="chaos-") as scratch:
        lines = [
            attacked(name, options.kills, random.Random(options.seed), options.set, Path(scratch))
            for name in names
        ]
    table = "\n".join([HEADING, *lines])
    print(table)
    if options.out:
        options.out.with_suffix(".md").write_text(table + "\n")


if __name__ == "__main__":
    main()
