"""The verbs that say what can be written: `list` and `schema`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from prunetune.cli.options import AsJson, Storage


def list_(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="criteria, methods, models, datasets, optimizers, schedules or sweeps.",
        ),
    ],
    storage: Storage = "runs",
    as_json: AsJson = False,
) -> None:
    """List the parts of a kind, or the sweeps under the storage."""
    from prunetune.registry import KINDS, UnknownNameError

    if kind == "sweeps":
        names = sorted(p.parent.name for p in Path(storage).glob("*/plan.json"))
        rows = [{"name": name, "summary": ""} for name in names]
    elif kind in KINDS:
        entries = [KINDS[kind].get(name) for name in KINDS[kind].names()]
        rows = [{"name": e.name, "summary": e.summary} for e in entries]
    else:
        raise UnknownNameError("kind", kind, (*KINDS, "sweeps"))
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    for row in rows:
        print(f"{row['name']:<24} {row['summary']}".rstrip())


def schema(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON schema.")] = False,
    with_parts: Annotated[
        bool, typer.Option("--parts", help="With every part's parameters (imports torch).")
    ] = False,
) -> None:
    """Print the sweep file's fields with their defaults."""
    from prunetune.spec.skeleton import json_schema, skeleton

    if as_json:
        print(json.dumps(json_schema(), indent=1))
        return
    print(skeleton())
    if with_parts:
        from prunetune.cli.tables import parts_text

        print(parts_text())
