"""A sweep whose trials take their time until STORAGE/go exists: STORAGE ADDRESS.

All resources are left to the cluster. Every trial writes down each node that it starts on, and each
epoch that it trains.
"""

import sys
import time
from pathlib import Path

import ray

from prunetune.cli.exits import guarded
from prunetune.messages import on_console
from prunetune.plan import Plan
from prunetune.records.store import Store
from prunetune.tune.console import SweepConsole
from prunetune.tune.ray.tuner import run
from tests.tune.fakes import make_plan, quick

EPOCHS, SECONDS = 120, 2.0


def plan() -> Plan:
    made = make_plan(trials=1, resources={"cpus": 1, "gpus": "auto", "max_concurrent": "auto"})
    studies = tuple(s.model_copy(update={"epochs": EPOCHS}) for s in made.studies)
    return made.model_copy(update={"studies": studies})


def held(spec, store, *, device, offline):
    """`quick`, with an epoch of two seconds while nobody says go."""

    def each(spec, folder, number):
        note(folder / "trained", str(number))
        if not (store.storage / "go").exists():
            time.sleep(SECONDS)

    note(store.trial_folder(spec.key).path / "nodes", ray.get_runtime_context().get_node_id())
    yield from quick(spec, store, device=device, offline=offline, each=each)


def note(file: Path, line: str) -> None:
    with file.open("a") as notes:
        notes.write(f"{line}\n")


def noted(store: Store, name: str) -> dict[str, list[str]]:
    """The notes of all trials by key."""
    files = (store.root / "trials").glob(f"*/{name}")
    return {file.parent.name: file.read_text().split() for file in files}


def main(storage: str, address: str) -> None:
    from tests.e2e.growing_sweep import held  # workers import it, too

    store = Store(storage, "fake")
    with on_console(), store.lock():
        observers = [SweepConsole(plan(), store)]
        run(plan(), store, address=address, observers=observers, trial=held)


if __name__ == "__main__":
    sys.exit(guarded(lambda: main(*sys.argv[1:])))
