"""A program that runs a sweep of slow trials: `ray_sweep.py STORAGE [ADDRESS [PLUGIN]]`.

PLUGIN is the path of a module that every trial imports. Tests kill the program.
"""

import sys
from pathlib import Path

from prunetune.cli.exits import guarded
from prunetune.cli.streams import forgive_streams, printing_in_background
from prunetune.records.store import Store
from prunetune.tune.console import SweepConsole
from prunetune.tune.ray.tuner import run
from tests.tune.fakes import make_plan, slow


def main(storage: str, address: str | None = None, plugin: str | None = None) -> None:
    resources = {"cpus": 1, "gpus": 0.5 if address else 0, "max_concurrent": "auto"}
    modules = (Path(plugin).stem,) if plugin else ()
    folders = (str(Path(plugin).parent),) if plugin else ()
    plan = make_plan(trials=4, resources=resources, plugins=modules)
    store = Store(storage, "fake")
    with printing_in_background(), store.lock():
        run(
            plan,
            store,
            address=address,
            observers=[SweepConsole(plan, store)],
            trial=slow,
            plugin_folders=folders,
        )


if __name__ == "__main__":
    forgive_streams()
    sys.exit(guarded(lambda: main(*sys.argv[1:])))
