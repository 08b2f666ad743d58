"""The verb `gc`: what a storage could do without, and its removal after a question."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from prunetune.cli.options import AsJson, Storage

if TYPE_CHECKING:
    from prunetune.sweep.garbage import Garbage


def gc(
    storage: Storage = "runs",
    weights: Annotated[
        bool,
        typer.Option(
            help="Of finished sweeps, also weights of confirmed networks, but for one a study."
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say which files of a storage nothing needs any more; delete them after asking.

    Records, plans, reports and test outputs stay, and so does all that a sweep that runs, or that
    could go on, might read.
    """
    from prunetune.analysis.format import count, plural
    from prunetune.sweep.garbage import collect, delete_garbage

    collection = collect(storage, weights=weights)
    if as_json:
        print(json.dumps(_facts(collection.garbage, collection.left), indent=1))
    else:
        for line in _lines(collection.garbage, collection.left):
            print(line)
    if not collection.garbage or not (yes or (not as_json and _agreed())):
        return
    freed = delete_garbage(storage, collection, weights=weights)
    if not as_json:
        print(f"deleted {plural(len(collection.garbage), 'file')}: {count(freed)}B")


def _agreed() -> bool:
    """Whether somebody at a terminal says yes; without one nothing is deleted."""
    if not sys.stdin.isatty():
        print("nothing was deleted; --yes deletes it")
        return False
    return typer.confirm("delete them?", default=False)


def _lines(garbage: Iterable[Garbage], left: Iterable[str]) -> Iterator[str]:
    from prunetune.analysis.format import count, plural

    groups: dict[tuple[str, str], list[Garbage]] = {}
    for each in garbage:
        groups.setdefault((each.sweep or "shared", each.reason), []).append(each)
    for (sweep, reason), files in groups.items():
        size = count(sum(each.size for each in files))
        yield f"{sweep}: {reason}: {plural(len(files), 'file')}, {size}B"
    yield from left
    if not groups:
        yield "nothing to delete"


def _facts(garbage: Sequence[Garbage], left: Iterable[str]) -> dict[str, Any]:
    files = [
        {"file": str(g.file), "bytes": g.size, "reason": g.reason, "sweep": g.sweep}
        for g in garbage
    ]
    return {"bytes": sum(g.size for g in garbage), "files": files, "left": list(left)}
