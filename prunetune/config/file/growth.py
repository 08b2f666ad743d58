"""How a sweep that has begun may change: it may grow, or run elsewhere, and nothing else.

The comparison is between parsed files, so that stating a default is no change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prunetune.messages import without_passwords

_ABSENT = object()


class GrowthError(ValueError):
    """A change after which finished trials would answer another question."""

    exit_code = 2

    def __init__(self, changes: list[str]) -> None:
        lines = "\n".join(f"  {change}" for change in changes)
        super().__init__(
            f"this sweep has begun, and its file now asks something else:\n{lines}\n"
            "  allowed: more trials, seeds, budgets, arms, matchings, replicates; other resources,"
            " limits, tracking, data set root. To ask another question, choose another name"
        )


def growth(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The legal changes from `old` to `new` (parsed sweep files as JSON), one line each.

    Raises:
        GrowthError: some changes are illegal; the message lists them all.
    """
    changes = list(_differences(old, new))
    lines = [f"{'.'.join(path)}: {_text(a)} -> {_text(b)}" for path, a, b in changes]
    illegal = [
        line for line, (path, a, b) in zip(lines, changes, strict=True) if not _legal(path, a, b)
    ]
    if illegal:
        raise GrowthError(illegal)
    return lines


def _differences(old: Any, new: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[Any, Any, Any]]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in dict.fromkeys([*old, *new]):
            yield from _differences(old.get(key, _ABSENT), new.get(key, _ABSENT), (*path, key))
    elif old != new:
        yield path, old, new


def _legal(path: tuple[str, ...], old: Any, new: Any) -> bool:
    if path[0] in ("resources", "limits", "tracking", "question") or path[-1] == "root":
        return True
    if path[0] == "arms" and len(path) == 2:
        return old is _ABSENT
    if path[0] == "arms" and path[2:] == ("match",):
        return new is None or (old is not None and _superset(old, new))
    if "by_budget" in path[:-1]:  # the value at a new budget
        return old is _ABSENT
    rule = _GROWS.get(".".join(path))
    return rule is not None and rule(old, new)


def _more(old: Any, new: Any) -> bool:
    return bool(new > old)


def _superset(old: Any, new: Any) -> bool:
    before = old if isinstance(old, list) else [old]
    after = new if isinstance(new, list) else [new]
    return all(item in after for item in before)


_GROWS: dict[str, Callable[[Any, Any], bool]] = {
    "search.trials": _more,
    "search.replicates": _more,
    "confirm.seeds": _more,
    "budgets": _superset,
    "training.match": _superset,
}


def _text(value: Any) -> str:
    return "(absent)" if value is _ABSENT else without_passwords(repr(value))
