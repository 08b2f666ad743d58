"""The first of two steps from a file to a plan: parse knows shapes, bind knows parts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from prunetune.config.file.check import check_file
from prunetune.config.file.model import SweepSpec
from prunetune.config.file.overrides import override
from prunetune.config.file.shipped import sweep_file
from prunetune.config.file.yaml import read
from prunetune.config.problems.errors import Problems, SpecError, YamlPath
from prunetune.config.problems.pydantic_errors import note_validation_errors


def parse(path: Path | str, overrides: Sequence[str] = ()) -> tuple[SweepSpec | None, Problems]:
    """The sweep in the file, and all that is wrong with its shape.

    What is wrong is left out of the spec, so that bind can check what is right; the spec is None
    where too little is left. `overrides` are `path=value`, as in `search.trials=4`. Raises
    SpecError only where there is nothing to parse: no file, no YAML.
    """
    tree, problems = read(sweep_file(path))
    override(tree, overrides, problems)
    return parse_tree(tree, problems), problems


def parse_tree(tree: dict[str, Any], problems: Problems) -> SweepSpec | None:
    """The sweep in plain data as it is read from YAML; problems as `parse` has them."""
    spec = _validated(tree, problems)
    check_file(tree, problems)
    return spec


def check(spec: SweepSpec) -> Problems:
    """What is wrong with the shape of a spec that was built in Python."""
    problems = Problems()
    parse_tree(spec.model_dump(mode="json"), problems)
    return problems


def load_sweep(path: Path | str, set: Sequence[str] = ()) -> SweepSpec:
    """The sweep in a file, or a shipped one by name, with `path=value` overrides in `set`.

    Raises:
        SpecError: the file cannot be read, or is wrong; it holds every problem.

    Example:
        >>> spec = load_sweep("quickstart", ["search.trials=8"])
        >>> spec.search.trials
        8
    """
    spec, problems = parse(path, set)
    problems.check(str(path))
    if spec is None:
        raise SpecError(problems.found, str(path))
    return spec


_NAME: YamlPath = ("name",)


def _validated(tree: dict[str, Any], problems: Problems) -> SweepSpec | None:
    """The spec without what is wrong: each round takes wrong values out and looks again."""
    tree = json.loads(json.dumps(tree))  # a copy to take values out of
    out: set[YamlPath] = set()
    while True:
        try:
            return SweepSpec.model_validate_json(json.dumps(tree), strict=True)
        except ValidationError as error:
            found = Problems(problems.lines)
            places = note_validation_errors(error, found, tree=tree, path=(), of=SweepSpec)
        # What was taken out is then missing: that is no news.
        news = [p for p in found.found if not any(o[: len(p.path)] == p.path for o in out)]
        problems.found.extend(p for p in news if p not in problems.found)
        if _NAME in places and _NAME not in out:  # any name will do to go on
            tree["name"] = "unnamed"
            places.remove(_NAME)
            out.add(_NAME)
        if not all(_take_out(tree, place) for place in sorted(places, reverse=True)):
            return None
        out.update(places)


def _take_out(tree: Any, place: YamlPath) -> bool:
    """Remove the value at `place`; False where there is none."""
    if not place:
        return False
    for part in place[:-1]:
        tree = tree[part]
    if isinstance(tree, dict) and place[-1] not in tree:
        return False
    del tree[place[-1]]
    return True
