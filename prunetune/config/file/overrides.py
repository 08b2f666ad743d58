"""Values given on the command line, `path=value`, in place of those in the file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from prunetune.config.file.yaml import load
from prunetune.config.problems.errors import Problems, SpecError, YamlPath


def override(tree: dict[str, Any], overrides: Sequence[str], problems: Problems) -> None:
    """Put every `path=value` into `tree`; a path that leads nowhere becomes a problem.

    The value is YAML; the path is dotted, list items by index: `budgets[0]=0.4`, `budgets.0=0.4`.
    """
    for text in overrides:
        dotted, equals, value = text.partition("=")
        if not equals or not dotted.strip():
            problems.add(("--set",), "not an override", value=text, allowed="path=value")
            continue
        try:
            data, found = load(value)
            found.check()
        except SpecError as error:
            for problem in error.problems:
                problems.add(("--set",), problem.message, value=text)
            continue
        _put(tree, _split(dotted), data, (), problems)


def _split(dotted: str) -> list[str]:
    return re.sub(r"\[(\d+)\]", r".\1", dotted.strip()).split(".")


def _put(node: Any, parts: list[str], value: Any, path: YamlPath, problems: Problems) -> None:
    """Set `value` below `node`, which stands at `path`, making mappings on the way."""
    key: Any
    key, rest = _step(node, parts)
    here = (*path, key)
    missing = isinstance(node, list) and (isinstance(key, str) or key >= len(node))
    if not isinstance(node, dict | list) or missing:
        problems.lines[here] = 0  # it stands on no line of the file
        allowed = f"one of the {len(node)} items there are" if missing else None
        problems.add(here, "--set: nothing here to set", allowed=allowed)
    elif not rest:
        node[key] = value
        problems.lines |= {line: 0 for line in problems.lines if line[: len(here)] == here}
        problems.lines[here] = 0
    else:
        below = node[key] if isinstance(node, list) else node.setdefault(key, {})
        if below is None or below == rest[0]:  # nothing yet, or a part written as its name alone
            below = node[key] = {} if below is None else {below: {}}
        _put(below, rest, value, here, problems)


def _step(node: Any, parts: list[str]) -> tuple[str | int, list[str]]:
    """The key or index that `parts` begin with, and the rest; keys may have dots in them."""
    if isinstance(node, list) and parts[0].isdecimal():
        return int(parts[0]), parts[1:]
    for end in range(len(parts), 0, -1):
        if isinstance(node, dict) and ".".join(parts[:end]) in node:
            return ".".join(parts[:end]), parts[end:]
    return parts[0], parts[1:]
