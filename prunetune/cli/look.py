"""The verbs for a sweep that has begun: `status`, `ui`."""

from __future__ import annotations

from typing import Annotated

import typer

from prunetune.cli.exits import SURROUNDINGS, Exit
from prunetune.cli.json_text import print_json
from prunetune.cli.options import AsJson, Storage, SweepArgument
from prunetune.records.collector import uncollected


def status(sweep: SweepArgument, storage: Storage = "runs", as_json: AsJson = False) -> None:
    """Say which trials are done, which are missing, and which can never run."""
    from prunetune.cli.tables import print_status
    from prunetune.sweep.locate import find_store
    from prunetune.sweep.status import status_of

    with uncollected():
        state = status_of(find_store(sweep, storage))
    if as_json:
        print_json(state)
    else:
        print_status(state)
    if state.damaged:
        raise Exit(SURROUNDINGS, "\n".join(state.damaged))


def ui(
    sweep: SweepArgument,
    storage: Storage = "runs",
    port: Annotated[int, typer.Option(help="Port on loopback; 0 takes any free one.")] = 5000,
    browser: Annotated[bool, typer.Option(help="Open the link as well as print it.")] = True,
) -> None:
    """Tell MLflow what it has missed of a sweep, and open it on the sweep's frontier."""
    from prunetune.sweep import load_plan
    from prunetune.sweep.locate import find_store
    from prunetune.sweep.tracked import caught_up
    from prunetune.tracking.ui import serve

    store = find_store(sweep, storage)
    tracking = caught_up(load_plan(store), store)
    uri, experiment, owner = tracking.uri, tracking.experiment, tracking.owner
    serve(uri, experiment, owner=owner, port=port, open_browser=browser)
