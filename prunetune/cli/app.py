"""The command line: `prunetune VERB`. Verbs are a few lines that call the rooms below."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from prunetune.cli import audit, bench, clean, compare, export, list, look, reproduce, sweep, trial
from prunetune.cli.exits import Leaving, guarded
from prunetune.cli.streams import forgive_streams
from prunetune.messages import on_console

app = typer.Typer(
    name="prunetune",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich's Markdown alone would double the time of --help
)
VERBS: Sequence[Callable[..., None]] = (
    sweep.sweep,
    sweep.plan,
    look.status,
    compare.report,
    audit.audit_,
    trial.show,
    trial.logs,
    export.export,
    bench.bench,
    reproduce.reproduce,
    look.ui,
    list.list_,
    list.schema,
    clean.gc,
)
for verb in VERBS:
    app.command(name=verb.__name__.rstrip("_"))(verb)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"prunetune {version('prunetune')}")
        raise typer.Exit


@app.callback()
def prunetune(
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_version, help="Print the version."),
    ] = False,
) -> None:
    """At a given FLOP budget: prune a ResNet, or train a thinner one, and with which recipe?"""


def main() -> None:
    """Run the verb and leave with its exit code: 0, 1, 2, 3, 129, 130 or 143."""
    leaving = Leaving()
    forgive_streams()
    with on_console():
        leaving.code = guarded(lambda: _flushed(lambda: app(prog_name="prunetune")))
    sys.exit(leaving.code)


def _flushed(command: Callable[[], object]) -> None:
    """Run the command and flush what it printed, while an error can still be told."""
    try:
        command()
    finally:
        sys.stdout.flush()
