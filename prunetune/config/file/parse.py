"""Parses a sweep file: the first of two steps to a plan. Binding, the second, looks parts up."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from prunetune.config.file.check import check_file
from prunetune.config.file.model import SweepSpec
from prunetune.config.file.overrides import override
from prunetune.config.file.shipped import sweep_file
from prunetune.config.file.yaml import read
from prunetune.config.problems.errors import Problem, Problems, SpecError, YamlPath
from prunetune.config.problems.pydantic_errors import note_validation_errors

SweepSource = Path | str | Mapping[str, Any] | SweepSpec
"""A sweep file, the name of a shipped sweep, the content of a file as a dict, or a spec."""


def parse(source: SweepSource, overrides: Sequence[str] = ()) -> tuple[SweepSpec | None, Problems]:
    """The sweep in a source, and all mistakes in its form.

    The spec leaves wrong values out, so that binding can check the others; it is None where too
    little remains. `overrides` are `path=value`, as in `search.trials=4`.

    Raises:
        SpecError: there is nothing to parse, because the file is missing or is no YAML.
    """
    if isinstance(source, SweepSpec):
        tree, problems = source.model_dump(mode="json"), Problems()
    elif isinstance(source, Mapping):
        tree, problems = _plain(source), Problems()
    else:
        tree, problems = read(sweep_file(source))
    override(tree, overrides, problems)
    return parse_tree(tree, problems), problems


def parse_tree(tree: dict[str, Any], problems: Problems) -> SweepSpec | None:
    """The sweep in plain data, as `parse` returns it; mistakes are added to `problems`."""
    spec = _validated(tree, problems)
    check_file(tree, problems)
    return spec


def source_name(source: SweepSource) -> str:
    """The source in error messages: the file as it was written; empty for Python objects."""
    return "" if isinstance(source, Mapping | SweepSpec) else str(source)


def check(spec: SweepSpec) -> Problems:
    """The mistakes in the form of a spec that was built in Python."""
    return parse(spec)[1]


def load_sweep(source: SweepSource, overrides: Sequence[str] = ()) -> SweepSpec:
    """The sweep in a file, a shipped one by name, or one as a dict.

    Args:
        source: a path, a name, the content of a sweep file as a dict, or another spec.
        overrides: `path=value`, as `--set` takes them.

    Raises:
        SpecError: the file cannot be read, or is wrong; it holds every problem.

    Example:
        >>> spec = load_sweep("quickstart", ["search.trials=8"])
        >>> spec.search.trials
        8
    """
    spec, problems = parse(source, overrides)
    problems.check(source_name(source))
    if spec is None:
        raise SpecError(problems.found, source_name(source))
    return spec


def _plain(source: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a dict as a file would have it: keys are text, tuples are lists."""
    try:
        tree: dict[str, Any] = json.loads(json.dumps(source, default=_as_written))
    except (TypeError, ValueError) as error:
        raise SpecError([Problem((), f"no sweep file can hold this: {error}")]) from error
    return tree


def _as_written(value: object) -> object:
    """A path as text, a number of another library (NumPy's) as a number."""
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{type(value).__name__} {value!r}")


_NAME: YamlPath = ("name",)


def _validated(tree: dict[str, Any], problems: Problems) -> SweepSpec | None:
    """The spec without wrong values: each round takes the wrong values out and validates again."""
    tree = json.loads(json.dumps(tree))  # a copy, because values are taken out of it
    removed: set[YamlPath] = set()
    while True:
        try:
            return SweepSpec.model_validate_json(json.dumps(tree), strict=True)
        except ValidationError as error:
            found = problems.fork()
            places = note_validation_errors(error, found, tree=tree, path=(), of=SweepSpec)
        # A value that was removed is now reported as missing, which is no mistake of the file.
        problems.merge(
            p for p in found.found if not any(path[: len(p.path)] == p.path for path in removed)
        )
        if _NAME in places and _NAME not in removed:  # any name serves to validate the rest
            tree["name"] = "unnamed"
            places.remove(_NAME)
            removed.add(_NAME)
        if not all(_remove(tree, place) for place in sorted(places, reverse=True)):
            return None
        removed.update(places)


def _remove(tree: Any, place: YamlPath) -> bool:
    """Remove the value at `place`; returns False if there is none."""
    if not place:
        return False
    for part in place[:-1]:
        tree = tree[part]
    if isinstance(tree, dict) and place[-1] not in tree:
        return False
    del tree[place[-1]]
    return True
