"""The verbs that take a sweep file: `sweep` and `plan`."""

from __future__ import annotations

import logging
import shlex
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from prunetune.cli.exits import DONE, FAILED_TRIALS, Exit
from prunetune.cli.json_text import print_json
from prunetune.cli.options import AsJson, Offline, Override, Storage, SweepFile
from prunetune.cli.streams import printing_in_background
from prunetune.records.collector import uncollected

_log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from prunetune.sweep.orchestrate import SweepOutcome


def sweep(
    file: SweepFile,
    storage: Storage = "runs",
    address: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="A running Ray cluster: auto, HOST:PORT, ray://…"),
    ] = None,
    overrides: Override = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Run trials again that had failed.")
    ] = False,
    offline: Offline = False,
) -> None:
    """Run a sweep, or continue one: prune, scale, train, search, confirm, report."""
    _log.info("reading %s", file)  # at once: the imports take their time on a busy machine
    from prunetune.sweep import run_sweep
    from prunetune.tune.ray.tuner import Interrupted

    with printing_in_background():
        try:
            outcome = run_sweep(
                file,
                storage=storage,
                address=address,
                overrides=overrides or (),
                retry_failed=retry_failed,
                offline=offline,
            )
        except Interrupted as end:
            again = shlex.join(["prunetune", *sys.argv[1:]])
            raise Exit(end.exit_code, f"{end}; continue with: {again}") from end
        for sentence in (*outcome.last_words, *outcome.next_steps):
            print(sentence)
    raise Exit(*_ending(outcome))


def _ending(outcome: SweepOutcome) -> tuple[int, str]:
    """The exit code of a sweep that ended, and the last words."""
    if outcome.failed or outcome.lost:
        message = f"{outcome.failed} trials failed, {outcome.lost} could not run because of that"
        return FAILED_TRIALS, f"{message}; --retry-failed runs them again"
    return DONE, ""


def plan(
    file: SweepFile,
    overrides: Override = None,
    storage: Storage = "runs",
    timed: Annotated[
        bool, typer.Option("--timed", help="Measure 20 steps of each network on made-up images.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check a sweep file and say what would run at what cost. Trains nothing."""
    with uncollected():
        import prunetune.bind  # noqa: F401  (imports torch)
        from prunetune.sweep import plan_sweep
        from prunetune.sweep.forecast import forecast

        forecasted = forecast(plan_sweep(file, overrides=overrides or ()), storage, timed=timed)
        if as_json:
            print_json(forecasted)
            return
        from prunetune.cli.tables import print_forecast

        print_forecast(forecasted)
