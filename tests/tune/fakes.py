"""A small plan and trials that take no time, for tests of how a sweep is run."""

from __future__ import annotations

import errno
import os
import signal
import time
from pathlib import Path
from typing import Any

import ray

from prunetune.config.parts import Named
from prunetune.config.search import Asha, Confirm
from prunetune.config.space.space import Dimension, Float, Space
from prunetune.plan import DensePlan, Plan, Study
from prunetune.records.store import Store
from prunetune.registry import load_plugins
from prunetune.tune.watchdog import Patience, Watchdog

LR = "recipe.optimizer.sgd.lr"
SPACE = Space(dimensions=(Dimension(path=LR, domain=Float(low=0.01, high=1.0, log=True)),))
MACS, PARAMS = 1000, 100


def study(arm: str, budget: float, *, inherits: bool, trials: int, epochs: int = 3) -> Study:
    return Study(
        id=f"{arm}@{budget:g}",
        arm=arm,
        method="channel_pruning" if inherits else "width_scaling",
        budget=budget,
        matching=None if inherits else "scratch_b",
        target_macs=int(MACS * budget),
        epochs=epochs,
        trials=trials,
        space=SPACE,
        inherits=inherits,
    )


def make_plan(trials: int = 4, seeds: int = 2, asha: Asha | None = None, **changes: Any) -> Plan:
    """Two arms at one budget over one dense network."""
    studies = (
        study("thin", 0.5, inherits=False, trials=trials),
        study("pruned", 0.5, inherits=True, trials=trials),
    )
    fields: dict[str, Any] = {
        "sweep": "fake",
        "question": "",
        "workload": {},
        "data_key": "data",
        "train_size": 100,
        "val_size": 10,
        "test_size": 10,
        "dense": DensePlan(
            source="train", epochs=2, architecture={"model": "m"}, macs=MACS, params=PARAMS
        ),
        "tolerance": 0.005,
        "studies": studies,
        "family": (),
        "confirm": Confirm(seeds=seeds),
        "dense_fresh": False,
        "sampler": Named(name="random"),
        "early_stopping": asha,
        "replicates": 1,
        "resources": {"cpus": 1, "gpus": "auto", "max_concurrent": 2},
        "limits": {"hours": None},
        "tracking": {},
        "seed": 0,
    }
    return Plan.model_validate(fields | changes)


def epoch(number: int, acc: float) -> dict[str, Any]:
    return {
        "epoch": number,
        "train_loss": 1.0,
        "val_loss": 1.0 - acc,
        "val_acc1": acc,
        "lr": 0.1,
        "seconds": 0.01,
    }


def quick(spec, store, *, device, offline, seconds=0.0, each=None):
    """Epochs of `seconds`; goes on from its own checkpoint, and leaves a line for every start."""
    load_plugins(spec.plugins)
    folder = store.trial_folder(spec.key).path
    with (folder / "starts").open("a") as file:
        file.write(f"{os.getpid()}\n")
    where = {"node": ray.get_runtime_context().get_node_id()} if ray.is_initialized() else {}
    where["gpus"] = os.environ.get("CUDA_VISIBLE_DEVICES")
    done = folder / "epochs"
    curve = [epoch(n + 1, accuracy(spec, n + 1)) for n in range(_count(done))]
    yield {"macs": spec.target_macs, "params": 1, "departures": where, "curve": curve}
    for number in range(len(curve) + 1, spec.epochs + 1):
        if each is not None:
            each(spec, folder, number)
        time.sleep(seconds)
        done.write_text(str(number))
        yield {"curve": [epoch(number, accuracy(spec, number))]}
    yield {"status": "completed"}


def accuracy(spec, number):
    """Grows with the epoch; higher learning rates are better."""
    return round(0.5 * number / max(1, spec.epochs) + 0.4 * spec.config.get(LR, 1.0), 6)


def _count(path: Path) -> int:
    return int(path.read_text()) if path.exists() else 0


def starts(store: Store, key: str) -> list[int]:
    """The processes in which a trial was started, in order."""
    return [int(line) for line in (store.trial_folder(key).path / "starts").read_text().split()]


def slow(spec, store, *, device, offline):
    yield from quick(spec, store, device=device, offline=offline, seconds=0.3)


def faulty(spec, store, *, device, offline):
    """Thin trial 0 loses its worker once in its second epoch, and thin trial 1 hangs there once;
    pruned trial 1 raises, always."""

    def each(spec, folder, number):
        who = (spec.arm, spec.phase, spec.number)
        if who == ("thin", "search", 1) and number == 2 and len(starts(store, spec.key)) == 1:
            with Watchdog(store.trial_folder(spec.key).hang, Patience(first_s=0.5)).watching():
                time.sleep(1000)
        if who == ("thin", "search", 0) and number == 2 and len(starts(store, spec.key)) == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        if who == ("pruned", "search", 1):
            raise ZeroDivisionError("no such thing\nsecond line")

    yield from quick(spec, store, device=device, offline=offline, each=each)


def hopeless(spec, store, *, device, offline):
    raise RuntimeError("nothing works")
    yield {}


def full_disk(spec, store, *, device, offline):
    yield {"macs": spec.target_macs}
    raise OSError(errno.ENOSPC, "No space left on device")


def endless(spec, store, *, device, offline):
    """A trial that forgets to say how it ended."""
    yield {"macs": spec.target_macs}
