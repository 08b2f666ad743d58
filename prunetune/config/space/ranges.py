"""The words that make a value a range: choice, int, float; and by_budget, one value per budget."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from prunetune.config.budget import FORMS, Budget, read_budget
from prunetune.config.problems.errors import Problems, YamlPath
from prunetune.config.space.space import Float, Int

CHOICE, BY_BUDGET, FROM = "choice", "by_budget", "from"
WORDS = (CHOICE, "int", "float", BY_BUDGET)
RESERVED = (*WORDS, FROM)

SHAPES = {
    CHOICE: "{choice: [a, b]} or {choice: {a: {…}, b: {…}}}",
    "int": "{int: [low, high]}, with log: true or step: s",
    "float": "{float: [low, high]}, with log: true or step: s",
    BY_BUDGET: "{by_budget: {budget: value, …}}",
}


def word_of(tree: Any) -> str | None:
    """Which of the reserved words makes `tree` a range, if any."""
    return next((w for w in WORDS if w in tree), None) if isinstance(tree, Mapping) else None


@dataclass(frozen=True)
class Located:
    """A value as written, and where it stands."""

    value: Any
    path: YamlPath


@dataclass(frozen=True)
class NamedTree:
    """A part as written: its name, the raw tree of its parameters and where that stands."""

    name: str
    params: Mapping[str, Any]
    path: YamlPath


def read_named(value: Any, path: YamlPath, problems: Problems) -> NamedTree | None:
    """What `name` or `{name: {parameters}}` names; None after a problem."""
    name, params = value, None
    if isinstance(value, Mapping) and len(value) == 1:
        ((name, params),) = value.items()
        path = (*path, name) if isinstance(name, str) else path
    if not isinstance(name, str) or not isinstance(params, Mapping | None):
        problems.add(path, "write a name, or {name: {parameters}}", value=value)
        return None
    if name in RESERVED:
        problems.add(path, "a reserved word is no name", value=name, allowed="a name")
        return None
    return NamedTree(name, params or {}, path)


def read_choice(tree: Mapping[str, Any], path: YamlPath, problems: Problems) -> list[Located]:
    """The options of `{choice: …}`; empty after a problem."""
    _refuse_others(tree, path, problems, CHOICE, ())
    found, path = tree[CHOICE], (*path, CHOICE)
    if isinstance(found, Mapping):
        options = [Located({name: below}, path) for name, below in found.items()]
    elif isinstance(found, list | tuple):
        options = [Located(value, (*path, i)) for i, value in enumerate(found)]
    else:
        problems.add(path, "not a choice", value=found, allowed=SHAPES[CHOICE])
        return []
    if not options:
        problems.add(path, "a choice of nothing", allowed=SHAPES[CHOICE])
    for option in options:
        if word := word_of(option.value):
            problems.add(option.path, f"a choice cannot hold {{{word}: …}}", allowed="constants")
    return [o for o in options if not word_of(o.value)]


def read_by_budget(
    tree: Mapping[str, Any], path: YamlPath, problems: Problems
) -> list[tuple[Budget, Located]]:
    """The budgets and values of `{by_budget: {budget: value}}`; empty after a problem."""
    _refuse_others(tree, path, problems, BY_BUDGET, ())
    found, path = tree[BY_BUDGET], (*path, BY_BUDGET)
    if not isinstance(found, Mapping) or not found:
        problems.add(path, "not one value per budget", value=found, allowed=SHAPES[BY_BUDGET])
        return []
    values: list[tuple[Budget, Located]] = []
    for key, value in found.items():
        place = (*path, key)
        try:
            budget = read_budget(key)
        except ValueError as error:
            problems.add(place, str(error), value=key, allowed=FORMS)
            continue
        if word_of(value) == BY_BUDGET:
            problems.add(place, "by_budget within by_budget", allowed="a constant or a range")
        elif any(budget.same(other) for other, _ in values):
            problems.add(place, "a second spelling of a budget that stands above")
        else:
            values.append((budget, Located(value, place)))
    return values


def read_numbers(tree: Mapping[str, Any], path: YamlPath, problems: Problems) -> Int | Float | None:
    """The domain of `{int: [low, high]}` or `{float: [low, high]}`; None after a problem."""
    word = "int" if "int" in tree else "float"
    before = len(problems.found)
    _refuse_others(tree, path, problems, word, ("log", "step"))
    ends = tree[word]
    if not (isinstance(ends, list | tuple) and len(ends) == 2 and all(_is(word, e) for e in ends)):
        problems.add((*path, word), "not a range", value=ends, allowed=SHAPES[word])
        return None
    low, high = ends
    log, step = tree.get("log", False), tree.get("step")
    if low > high:
        problems.add((*path, word), "low is above high", value=list(ends), allowed=SHAPES[word])
    if not isinstance(log, bool):
        problems.add((*path, "log"), "must be true or false", value=log)
    elif log and low <= 0:
        problems.add((*path, word), "a log range needs low above 0", value=list(ends))
    if log and step is not None:
        problems.add((*path, "step"), "a range has log or step, not both", value=step)
    elif step is not None:
        _check_step(word, low, high, step, (*path, "step"), problems)
    if len(problems.found) > before:
        return None
    if word == "int":
        return Int(low=low, high=high, step=1 if step is None else step, log=log)
    return Float(low=float(low), high=float(high), step=step and float(step), log=log)


def _is(word: str, value: Any) -> bool:
    """Whether `value` can stand in a range of this word."""
    if isinstance(value, bool) or not isinstance(value, int if word == "int" else int | float):
        return False
    return math.isfinite(value) if isinstance(value, float) else abs(value) < 2**63


def _check_step(
    word: str, low: float, high: float, step: Any, path: YamlPath, problems: Problems
) -> None:
    kind = "a whole number" if word == "int" else "a number"
    if not _is(word, step) or step <= 0:
        problems.add(path, f"must be {kind} above 0", value=step)
        return
    steps = (Fraction(str(high)) - Fraction(str(low))) / Fraction(str(step))
    if steps < 0:
        return  # low above high is told already
    if steps.denominator != 1:
        below = float(Fraction(str(low)) + math.floor(steps) * Fraction(str(step)))
        allowed = f"a high of {below:g}, for one" if steps > 1 else f"at most {high - low:g}"
        problems.add(path, f"does not lead from {low} to {high}", value=step, allowed=allowed)


def _refuse_others(
    tree: Mapping[str, Any], path: YamlPath, problems: Problems, word: str, extras: tuple[str, ...]
) -> None:
    for key in tree:
        if key != word and key not in extras:
            problems.unknown((*path, key), extras)
