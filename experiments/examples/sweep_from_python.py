"""A sweep from Python: the quick start, made smaller, planned, run and read as a table.

    python experiments/examples/sweep_from_python.py [STORAGE]

A run of its own takes about half a minute on two cores; a second one finds all trials done.
"""

from __future__ import annotations

import sys

from prunetune import load_records, load_sweep, plan_sweep, run_sweep

SMALLER = [
    "name=from-python",
    "budgets=[0.4]",
    "workload.dense.train.epochs=1",
    "training.finetune_epochs=1",
    "search.trials=1",
    "confirm.seeds=2",
    "tracking.uri=none",
]


def main(storage: str) -> None:
    spec = load_sweep("quickstart", SMALLER)
    for study in plan_sweep(spec).studies:
        print(f"{study.id}: {study.target_macs:,} MACs, {study.epochs} epochs a trial")

    run_sweep(spec, storage=storage)

    confirmed = load_records(spec.name, storage).query("phase == 'confirm'")
    print(confirmed.groupby("arm")["test_acc1"].agg(["mean", "count"]))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "runs")
