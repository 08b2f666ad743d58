"""A program that runs a sweep of slow trials: `ray_sweep.py STORAGE [ADDRESS]`. Tests kill it."""

import sys

from prunetune.records.store import Store
from prunetune.tune.console import SweepConsole
from prunetune.tune.ray.tuner import Interrupted, run
from tests.tune.fakes import make_plan, slow

if __name__ == "__main__":
    storage, address = sys.argv[1], (sys.argv[2:] or [None])[0]
    resources = {"cpus": 1, "gpus": 0.5 if address else 0, "max_concurrent": "auto"}
    plan, store = make_plan(trials=4, resources=resources), Store(storage, "fake")
    try:
        with store.lock():
            run(plan, store, address=address, observers=[SweepConsole(plan, store)], trial=slow)
    except Interrupted as end:
        sys.exit(end.exit_code)
