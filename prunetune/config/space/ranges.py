"""Reads a range of numbers: `{int: [low, high]}` or `{float: [low, high]}`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from prunetune.config.problems.errors import Problems, YamlPath
from prunetune.config.space.nodes import RANGE_FORMS
from prunetune.config.space.space import Float, Int


def read_numbers(tree: Mapping[str, Any], path: YamlPath, problems: Problems) -> Int | Float | None:
    """The domain of a range of numbers; None after a problem."""
    word = "int" if "int" in tree else "float"
    found = problems.fork()
    domain = _read_domain(tree, word, path, found)
    problems.merge(found.found)
    return None if found.found else domain


def _read_domain(
    tree: Mapping[str, Any], word: str, path: YamlPath, problems: Problems
) -> Int | Float | None:
    refuse_other_keys(tree, path, problems, word, ("log", "step"))
    ends, form = tree[word], RANGE_FORMS[word]
    two = isinstance(ends, list | tuple) and len(ends) == 2
    if not two or not all(_is_number(word, end) for end in ends):
        problems.add((*path, word), "not a range", value=ends, allowed=form)
        return None
    low, high = ends
    log, step = tree.get("log", False), tree.get("step")
    if low > high:
        problems.add((*path, word), "low is above high", value=list(ends), allowed=form)
    if not isinstance(log, bool):
        problems.add((*path, "log"), "must be true or false", value=log)
    elif log and low <= 0:
        problems.add((*path, word), "a log range needs low above 0", value=list(ends))
    if log and step is not None:
        problems.add((*path, "step"), "a range has log or step, not both", value=step)
    elif step is not None:
        _check_step(word, low, high, step, (*path, "step"), problems)
    if problems.found:
        return None
    if word == "int":
        return Int(low=low, high=high, step=1 if step is None else step, log=log)
    return Float(low=float(low), high=float(high), step=step and float(step), log=log)


def refuse_other_keys(
    tree: Mapping[str, Any],
    path: YamlPath,
    problems: Problems,
    word: str,
    options: tuple[str, ...] = (),
) -> None:
    """Note every key of a range beside its reserved `word` and the `options` that it may have."""
    for key in tree:
        if key != word and key not in options:
            problems.unknown((*path, key), options)


def _is_number(word: str, value: Any) -> bool:
    """Whether `value` can stand in a range of this word: finite, and whole where it says int."""
    if isinstance(value, bool) or not isinstance(value, int if word == "int" else int | float):
        return False
    return math.isfinite(value) if isinstance(value, float) else abs(value) < 2**63


def _check_step(
    word: str, low: float, high: float, step: Any, path: YamlPath, problems: Problems
) -> None:
    """Check that whole steps lead from `low` to `high`, computed on the written decimals."""
    kind = "a whole number" if word == "int" else "a number"
    if not _is_number(word, step) or step <= 0:
        problems.add(path, f"must be {kind} above 0", value=step)
        return
    steps = (Fraction(str(high)) - Fraction(str(low))) / Fraction(str(step))
    if steps < 0:
        return  # low above high is already a problem
    if steps.denominator != 1:
        below = float(Fraction(str(low)) + math.floor(steps) * Fraction(str(step)))
        allowed = f"a high of {below:g}, for one" if steps > 1 else f"at most {high - low:g}"
        problems.add(path, f"does not lead from {low} to {high}", value=step, allowed=allowed)
