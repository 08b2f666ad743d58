"""A program that runs a sweep of slow trials: `ray_sweep.py STORAGE`. Tests kill it."""

import sys

from prunetune.records.store import Store
from prunetune.tune.progress import Progress
from prunetune.tune.run import Interrupted, run
from tests.tune.fakes import make_plan, slow

if __name__ == "__main__":
    plan, store = make_plan(trials=4), Store(sys.argv[1], "fake")
    try:
        with store.lock():
            run(plan, store, observers=[Progress(plan, store)], trial=slow)
    except Interrupted as end:
        sys.exit(end.exit_code)
