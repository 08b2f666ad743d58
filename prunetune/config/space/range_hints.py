"""Ranges in the notation of other tools (W&B, Ray Tune), and how they are written here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_VALUES = ("values", "value", "grid_search", "categories", "options")
_ENDS = (("min", "max"), ("low", "high"), ("lower", "upper"))
_DRAWS = ("uniform", "loguniform", "log_uniform", "quniform", "randint", "lograndint")
_EXTRAS = frozenset({"distribution", "type", "log", "q"})


def range_meant(value: Any) -> str | None:
    """The range that `value` seems to mean, as a sweep file writes it; None where it means none."""
    if isinstance(value, list | tuple):
        return _list_meant(value)
    if not isinstance(value, Mapping):
        return None
    keys = set(value) - _EXTRAS
    for word in _VALUES:
        if keys == {word}:
            options = value[word]
            return _choice(options) if isinstance(options, list | tuple) else _written(options)
    for low, high in _ENDS:
        if keys == {low, high}:
            how = f"{value.get('distribution', '')} {value.get('type', '')}"
            return _numbers(value[low], value[high], how + " log" * (value.get("log") is True))
    for word in _DRAWS:
        ends = value.get(word)
        if keys == {word} and isinstance(ends, list | tuple) and len(ends) == 2:
            return _numbers(ends[0], ends[1], word)
    return None


def _list_meant(values: list[Any] | tuple[Any, ...]) -> str | None:
    """A choice of the values; two rising numbers may also be the ends of a range."""
    choice = _choice(values)
    if choice is None or len(values) != 2:
        return choice
    ends = _numbers(values[0], values[1], "")
    return f"{choice} or {ends}" if ends and values[0] < values[1] else choice


def _choice(options: Any) -> str | None:
    constants = all(not isinstance(option, list | tuple | Mapping) for option in options)
    return f"{{choice: {_written(list(options))}}}" if options and constants else None


def _numbers(low: Any, high: Any, how: str) -> str | None:
    """A range between two numbers; of whole ones, unless `how` names a distribution of floats."""
    if any(isinstance(end, bool) or not isinstance(end, int | float) for end in (low, high)):
        return None
    whole = isinstance(low, int) and isinstance(high, int) and ("int" in how or "uni" not in how)
    log = ", log: true" if "log" in how else ""
    return f"{{{'int' if whole else 'float'}: {_written([low, high])}{log}}}"


def _written(value: Any) -> str:
    return json.dumps(value, default=str).replace('"', "")
