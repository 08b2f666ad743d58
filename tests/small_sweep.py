"""A small sweep, run to its end in this process: what verbs for finished sweeps are tried on."""

from __future__ import annotations

from pathlib import Path

from prunetune.agenda import Deal
from prunetune.records.store import Store
from prunetune.sweep import plan_sweep
from prunetune.sweep.plan_file import write_plan
from prunetune.sweep.publish import publish
from prunetune.trial import run_trial
from prunetune.tune.callbacks import Broadcast
from prunetune.tune.driver import Driver

SMALL = {
    "name": "small",
    "workload": {
        "model": "resnet14",
        "dataset": {"digits": {"train_limit": 100}},
        "dense": {"train": {"epochs": 1, "recipe": {"batch_size": 50}}},
    },
    "budgets": [0.5],
    "arms": {"thin": {"method": "width_scaling"}, "pruned": {"method": "channel_pruning"}},
    "recipe": {"batch_size": 50, "optimizer": {"sgd": {"lr": {"float": [0.05, 0.1]}}}},
    "training": {"finetune_epochs": 1, "match": "marginal"},
    "search": {"trials": 1, "sampler": "random", "early_stopping": None},
    "confirm": {"seeds": 2},
    "tracking": {"uri": "none"},
}


def run_small_sweep(storage: Path) -> Store:
    """The sweep's store, with records, weights and report."""
    from prunetune import load_sweep

    plan, store = plan_sweep(SMALL), Store(storage, "small")
    write_plan(store, load_sweep(SMALL), plan)
    driver = Driver(plan, store, Broadcast([]))
    while isinstance(due := driver.deal(), Deal):
        for report in run_trial(due.spec, store, device="cpu"):
            driver.report(due.spec.key, report)
        driver.complete(due.spec.key)
    publish(plan, store, store.records())
    return store
