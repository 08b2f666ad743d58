"""What a shell offers when Tab is pressed: sweep files, sweeps, trials, kinds, settings.

Nothing here imports torch: the names of parts come from the schema file beside the shipped sweeps.
An error offers nothing, because a shell has no place to show it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Any

import typer

from prunetune.config.file.shipped import schema_file, shipped_sweeps, sweep_file

Offer = Callable[[typer.Context, str], list[str]]


def _quietly(offer: Callable[[typer.Context, str], Iterator[str]]) -> Offer:
    """Offer what begins as typed so far, and nothing after an error."""

    @wraps(offer)
    def quiet(ctx: typer.Context, incomplete: str) -> list[str]:
        found: list[str] = []
        with suppress(Exception):
            found += (text for text in offer(ctx, incomplete) if text.startswith(incomplete))
        return found

    return quiet


@_quietly
def offered_files(ctx: typer.Context, incomplete: str) -> Iterator[str]:
    """Names of shipped sweeps, YAML files, and folders that may hold some."""
    yield from shipped_sweeps()
    folder, slash, _ = incomplete.rpartition("/")
    for path in sorted(Path(folder + slash or ".").expanduser().iterdir()):
        if path.is_dir() and not path.name.startswith("."):
            yield f"{folder}{slash}{path.name}/"
        elif path.suffix in (".yaml", ".yml"):
            yield f"{folder}{slash}{path.name}"


@_quietly
def offered_sweeps(ctx: typer.Context, incomplete: str) -> Iterator[str]:
    """Names of the sweeps under the storage."""
    from prunetune.records.store import sweep_names

    yield from sweep_names(ctx.params.get("storage") or "runs")


@_quietly
def offered_trials(ctx: typer.Context, incomplete: str) -> Iterator[str]:
    """Keys of the trials under the storage."""
    from prunetune.records.find_trial import known_keys

    yield from dict.fromkeys(known_keys(ctx.params.get("storage") or "runs"))


@_quietly
def offered_networks(ctx: typer.Context, incomplete: str) -> Iterator[str]:
    """Names of sweeps, and keys of trials."""
    yield from offered_sweeps(ctx, incomplete)
    yield from offered_trials(ctx, incomplete)


@_quietly
def offered_kinds(ctx: typer.Context, incomplete: str) -> Iterator[str]:
    """What `prunetune list` lists."""
    from prunetune.registry import KINDS

    yield from (*KINDS, "sweeps")


@_quietly
def offered_settings(ctx: typer.Context, incomplete: str) -> Iterator[str]:
    """`PATH=` for every field that a sweep file may state, `PATH=VALUE` where values are known."""
    schema = json.loads(schema_file().read_bytes())
    yield from _Settings(schema["$defs"], _arms(), incomplete).below(schema)


def _arms() -> list[str]:
    """The names of the arms in the sweep file that the command line names, if it does.

    The words come from the shell's own variables: typer parses none while `--set` has no value.
    """
    from prunetune.config.file.yaml import read

    line = os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS", "")
    for word in line.split()[2:]:
        with suppress(Exception):
            return list(read(sweep_file(word))[0]["arms"])
    return []


class _Settings:
    """Walks the schema of a sweep file along the beginning of a dotted path."""

    def __init__(self, defs: dict[str, Any], arms: list[str], incomplete: str) -> None:
        self._defs, self._arms, self._incomplete = defs, arms, incomplete

    def below(self, node: dict[str, Any], path: str = "") -> Iterator[str]:
        """The settings below a node of the schema."""
        for name, child in self._entries(node, path):
            place = f"{path}.{name}" if path else name
            begun = self._incomplete.startswith(place) or place.startswith(self._incomplete)
            if begun:
                values = list(self._values(child))
                yield from (f"{place}={value}" for value in values)
                further = list(self.below(child, place))
                yield from further
                if not values and not further:
                    yield f"{place}="

    def _entries(self, node: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
        for form in self._forms(node):
            yield from form.get("properties", {}).items()
            if path == "arms":
                yield from ((arm, form["additionalProperties"]) for arm in self._arms)

    def _values(self, node: dict[str, Any]) -> Iterator[str]:
        for form in self._forms(node):
            yield from (str(value) for value in form.get("enum", ()))
            if form.get("type") == "boolean":
                yield from ("true", "false")

    def _forms(self, node: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The forms that a value may have; ranges and null are left out."""
        reference = node.get("$ref", "").rpartition("/")[2]
        if reference == "Range":
            return
        if reference:
            yield from self._forms(self._defs[reference])
        elif "anyOf" in node:
            for form in node["anyOf"]:
                yield from self._forms(form)
        else:
            yield node
