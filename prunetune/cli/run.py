"""The verbs that ask the question: `sweep` and `plan`."""

from __future__ import annotations

from typing import Annotated

import typer

from prunetune.cli.exits import Exit
from prunetune.cli.options import AsJson, Override, Storage, SweepFile


def sweep(
    file: SweepFile,
    storage: Storage = "runs",
    address: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="A running Ray cluster: auto, HOST:PORT, ray://…"),
    ] = None,
    set_: Override = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Run trials again that had failed.")
    ] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="Never download: data must be there.")
    ] = False,
) -> None:
    """Run a sweep, or go on with it: prune, scale, train, search, confirm, report."""
    from prunetune.sweep import run_sweep

    outcome = run_sweep(
        file,
        storage=storage,
        address=address,
        overrides=set_ or (),
        retry_failed=retry_failed,
        offline=offline,
    )
    print(outcome.text)
    raise Exit(outcome.code)


def plan(
    file: SweepFile,
    set_: Override = None,
    as_json: AsJson = False,
    storage: Storage = "runs",
) -> None:
    """Check a sweep file and say what would run and what it would cost. Trains nothing."""
    from prunetune.forecast import forecast
    from prunetune.sweep import plan_sweep

    found = forecast(plan_sweep(file, overrides=set_ or ()), storage)
    if as_json:
        print(found.to_json())
    else:
        from prunetune.cli.tables import print_forecast

        print_forecast(found)
