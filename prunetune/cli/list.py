"""The verbs that say what a sweep file may contain: `list` and `schema`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from prunetune.cli.completion import offered_kinds
from prunetune.cli.exits import Exit
from prunetune.cli.options import AsJson, Storage

if TYPE_CHECKING:
    from prunetune.config.file.json_schema import PartParams


def list_(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="criteria, regularizers, methods, models, datasets, optimizers, schedules or "
            "sweeps.",
            autocompletion=offered_kinds,
        ),
    ],
    storage: Storage = "runs",
    as_json: AsJson = False,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="As a Markdown table, for a README.")
    ] = False,
) -> None:
    """List the parts of a kind, those of plug-ins included, or the sweeps under the storage.

    Criteria and regularizers name their paper, the data that they need, their cost, and how they
    differ from torch-pruning's.
    """
    from prunetune.cli.about import markdown, part_rows
    from prunetune.records.store import sweep_names
    from prunetune.registry import KINDS, UnknownNameError

    if as_json and as_markdown:
        raise Exit(2, "choose one of --json and --markdown")
    if kind == "sweeps":
        listed = [{"name": name, "summary": ""} for name in sweep_names(storage)]
    elif kind in KINDS:
        listed = part_rows(KINDS[kind])
    else:
        raise UnknownNameError("kind", kind, (*KINDS, "sweeps"))
    if as_json:
        print(json.dumps(listed, indent=1))
    elif as_markdown:
        print(markdown(listed))
    elif any("paper" in row for row in listed):
        from prunetune.cli.tables import print_parts

        print_parts(listed)
    else:
        for row in listed:
            print(f"{row['name']:<24} {row['summary']}".rstrip())


def schema(
    as_json: Annotated[
        bool, typer.Option("--json", help="As JSON Schema, for editors and other programs.")
    ] = False,
    with_parts: Annotated[
        bool, typer.Option("--parts", help="With every part's parameters (imports torch).")
    ] = False,
) -> None:
    """Print the sweep file's fields with their defaults.

    An editor with a YAML language server completes and checks a sweep file that begins with the
    line `# yaml-language-server: $schema=FILE`, where FILE holds what --json --parts prints.
    """
    from prunetune.config.file.schema import skeleton

    if as_json:
        from prunetune.config.file.json_schema import json_schema

        print(json.dumps(json_schema(part_params() if with_parts else None), indent=1))
        return
    print(skeleton())
    if with_parts:
        from prunetune.cli.tables import parts_text

        print(parts_text())


def part_params() -> PartParams:
    """The model of every registered part's parameters."""
    from prunetune.registry import KINDS

    return {
        kind: {name: registry.get(name).params for name in registry.names()}
        for kind, registry in KINDS.items()
    }
