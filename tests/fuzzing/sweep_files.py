"""Mutated sweep files: `prunetune plan` refuses them in words, or plans what they say."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from prunetune.config.file.parse import parse_tree
from prunetune.config.file.yaml import load
from prunetune.config.problems.errors import Problems
from tests.cli.command import prunetune
from tests.fuzzing.bases import base_trees, bases
from tests.fuzzing.judging import Tried, tried
from tests.fuzzing.mutations import is_garbage, mutated_text, mutated_tree


def try_sweep_file(
    chance: random.Random, folder: Path
) -> tuple[str, list[tuple[Tried, list[str]]]]:
    """A mutated sweep file, and `plan` on it with what is wrong with that."""
    _warm(folder)
    index = chance.randrange(len(bases()))
    if chance.random() < 0.3:
        text, kinds = mutated_text(bases()[index], chance)
        garbage = False
    else:
        tree, kinds = mutated_tree(base_trees()[index], base_trees(), chance)
        text = yaml.safe_dump(tree, allow_unicode=True, sort_keys=False)
        garbage = is_garbage(kinds)
    file = folder / "mutated.yaml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    result = tried(kinds, "plan", file, "--json")
    complaints = list(result.complaints((0, 2)))
    if garbage and result.code == 0:
        complaints.append("garbage is planned")
    if result.code == 0:
        complaints += [f"ignores {place}" for place in ignored(text)]
    return text, [(result, complaints)]


@cache
def _warm(folder: Path) -> None:
    """Load the libraries and the caches, which no file is to blame for."""
    for text in bases():
        (folder / "warm.yaml").write_text(text, encoding="utf-8")
        assert prunetune("plan", folder / "warm.yaml", "--json").returncode == 0


def ignored(text: str) -> Iterator[str]:
    """The places of a right sweep file whose values do not stand in what it was read as."""
    tree = load(text)[0]
    spec = parse_tree(json.loads(json.dumps(tree)), Problems())
    assert spec is not None
    yield from _missing(tree, spec.model_dump(mode="json"), "")


def _missing(written: Any, read: Any, at: str) -> Iterator[str]:
    if isinstance(written, dict) and isinstance(read, dict):
        for key, value in written.items():
            if key == "asha" and value is None:
                continue  # the rule with its defaults, as `early_stopping: asha`
            if key in read:
                yield from _missing(value, read[key], f"{at}.{key}")
            else:
                yield f"{at}.{key}"
    elif isinstance(written, list) and isinstance(read, list) and len(written) == len(read):
        for i, (a, b) in enumerate(zip(written, read, strict=True)):
            yield from _missing(a, b, f"{at}[{i}]")
    elif not _same(written, read):
        yield f"{at}: {written!r} was read as {read!r}"[:200]


def _same(written: Any, read: Any) -> bool:
    """Whether both are one value: `x` and `[x]`, `name` and `{name: {}}` or `{name: null}` are."""
    forms = [written, [written]]
    if (
        isinstance(written, dict)
        and len(written) == 1
        and next(iter(written.values())) in ({}, None)
    ):
        forms.append(next(iter(written)))
    if isinstance(written, str):
        forms.append({written: {}})
    return read in forms
