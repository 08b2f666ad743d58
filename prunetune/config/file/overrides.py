"""Values from the command line, `path=value`, that replace those in the file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from prunetune.config.file.yaml import load
from prunetune.config.problems.errors import Problems, SpecError, YamlPath


def override(tree: dict[str, Any], overrides: Sequence[str], problems: Problems) -> None:
    """Put every `path=value` into `tree`; a path that leads nowhere becomes a problem.

    The value is YAML. The path is dotted, with list items by index: `budgets[0]=0.4` or
    `budgets.0=0.4`.
    """
    for text in overrides:
        dotted, equals, value = text.partition("=")
        if not equals or not dotted.strip():
            problems.add(("--set",), "not an override", value=text, allowed="path=value")
            continue
        try:
            data, value_problems = load(value)
            value_problems.check()
        except SpecError as error:
            for problem in error.problems:
                problems.add(("--set",), problem.message, value=text)
            continue
        _put(tree, _split(dotted), data, (), problems)


def _split(dotted: str) -> list[str]:
    return re.sub(r"\[(\d+)\]", r".\1", dotted.strip()).split(".")


def _put(node: Any, parts: list[str], value: Any, path: YamlPath, problems: Problems) -> None:
    """Set `value` below `node`, which stands at `path`; missing mappings are made on the way."""
    key: Any
    key, rest = _step(node, parts)
    place = (*path, key)
    missing = isinstance(node, list) and (isinstance(key, str) or key >= len(node))
    if not isinstance(node, dict | list) or missing:
        problems.lines[place] = 0  # a value from the command line has no line
        allowed = f"one of the {len(node)} items there are" if missing else None
        problems.add(place, "--set: nothing here to set", allowed=allowed)
    elif not rest:
        node[key] = value
        problems.lines |= {below: 0 for below in problems.lines if below[: len(place)] == place}
        problems.lines[place] = 0
    else:
        below = node[key] if isinstance(node, list) else node.setdefault(key, {})
        if below is None or below == rest[0]:  # no value yet, or a part that is only named
            below = node[key] = {} if below is None else {below: {}}
        _put(below, rest, value, place, problems)


def _step(node: Any, parts: list[str]) -> tuple[str | int, list[str]]:
    """The key or index with which `parts` begin, and the rest; a key may contain dots."""
    if isinstance(node, list) and parts[0].isdecimal():
        return int(parts[0]), parts[1:]
    for end in range(len(parts), 0, -1):
        if isinstance(node, dict) and ".".join(parts[:end]) in node:
            return ".".join(parts[:end]), parts[end:]
    return parts[0], parts[1:]
