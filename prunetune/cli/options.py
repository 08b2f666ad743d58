"""Arguments and options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prunetune.cli.completion import (
    offered_files,
    offered_settings,
    offered_sweeps,
    offered_trials,
)


def _folder(storage: str) -> str:
    if not storage:
        raise typer.BadParameter("'' is no folder")
    return storage


SweepFile = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="A sweep file (YAML), or the name of a shipped sweep.",
        autocompletion=offered_files,
    ),
]
SweepArgument = Annotated[
    str,
    typer.Argument(
        metavar="SWEEP",
        help="A sweep's name under the storage, its folder or file.",
        autocompletion=offered_sweeps,
    ),
]
Storage = Annotated[
    str,
    typer.Option(
        metavar="DIR|URI",
        callback=_folder,
        help="Where sweeps keep their records and weights: a folder, s3://… or gs://….",
    ),
]
Override = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Change a value of the file; repeatable.",
        autocompletion=offered_settings,
    ),
]
TrialArgument = Annotated[
    str,
    typer.Argument(
        metavar="TRIAL",
        help="A trial's key, or its beginning; of any sweep under the storage.",
        autocompletion=offered_trials,
    ),
]
Offline = Annotated[
    bool, typer.Option("--offline", help="Never download; the data must be on disk.")
]
AsJson = Annotated[bool, typer.Option("--json", help="The same facts as JSON, for scripts.")]
