"""Checks how a sweep file is written where its models hold raw trees: ranges, names, references.

Nothing here knows what parts there are: the names of parts and their parameters are bound later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from prunetune.config.budget import Budget, read_budget
from prunetune.config.problems.errors import Problems, YamlPath
from prunetune.config.problems.pydantic_errors import fields_of, nested_model
from prunetune.config.recipe import Recipe
from prunetune.config.space.ranges import (
    BY_BUDGET,
    CHOICE,
    Located,
    read_by_budget,
    read_choice,
    read_named,
    read_numbers,
    word_of,
)

Tree = Mapping[str, Any]


def check_file(tree: Tree, problems: Problems) -> None:
    """Note what is wrong with the raw trees of a sweep file, and between its parts."""
    shape = _Shape(problems, _budgets(tree, problems))
    workload = _mapping(tree, "workload")
    for part in ("model", "dataset"):
        _constants(workload.get(part), ("workload", part), problems)
    dense, where = _mapping(_mapping(_mapping(workload, "dense"), "train"), "recipe"), _DENSE
    _constants(dense, where, problems)
    shape.fields(dense, where, Recipe)
    shape.fields(_mapping(tree, "recipe"), ("recipe",), Recipe)
    arms = _mapping(tree, "arms")
    for name, arm in arms.items():
        if isinstance(arm, Mapping):
            _check_arm(name, arm, shape)


_DENSE: YamlPath = ("workload", "dense", "train", "recipe")


def _mapping(tree: Tree, key: str) -> Tree:
    found = tree.get(key)
    return found if isinstance(found, Mapping) else {}


def _budgets(tree: Tree, problems: Problems) -> list[Budget]:
    """The budgets that can be read; the same one in two spellings is a problem."""
    found: list[tuple[Budget, Any]] = []
    written = tree.get("budgets")
    for i, value in enumerate(written if isinstance(written, list) else []):
        try:
            budget = read_budget(value)
        except ValueError:
            continue  # the model tells
        if first := [text for other, text in found if budget.same(other)]:
            problems.add(("budgets", i), f"the same budget as {first[0]!r}", value=value)
        found.append((budget, value))
    return [budget for budget, _ in found]


def _constants(value: Any, path: YamlPath, problems: Problems) -> None:
    """Refuse every range within `value`."""
    if word := word_of(value):
        problems.add(path, f"{{{word}: …}} where nothing is searched", allowed="constants")
    elif isinstance(value, Mapping):
        for key, below in value.items():
            _constants(below, (*path, key), problems)


def _check_arm(name: str, arm: Tree, shape: _Shape) -> None:
    path: YamlPath = ("arms", name)
    problems = shape.problems
    if "method" in arm and (method := read_named(arm["method"], (*path, "method"), problems)):
        shape.ranges(method.params, method.path)
    shape.fields(_mapping(arm, "recipe"), (*path, "recipe"), Recipe)
    first = arm.get("first")
    for i, config in enumerate(first if isinstance(first, list) else []):
        for key in config if isinstance(config, Mapping) else ():
            if not key.startswith(("recipe.", "method.")):
                message = "must be dotted as in a record's config"
                problems.add((*path, "first", i, key), message, allowed="recipe.… or method.…")


@dataclass(frozen=True)
class _Shape:
    """Walks raw trees; `budgets` are those that every `by_budget` must name."""

    problems: Problems
    budgets: list[Budget]

    def fields(self, tree: Tree, path: YamlPath, model: type[BaseModel]) -> None:
        """Check `tree` against the names of the model's fields, and the ranges in it."""
        fields = fields_of(model)
        for key, value in tree.items():
            if key not in fields:
                self.problems.unknown((*path, key), fields)
                continue
            below = nested_model(fields[key].annotation)
            if below and isinstance(value, Mapping) and not word_of(value):
                self.fields(value, (*path, key), below)
            else:
                self.ranges(value, (*path, key))

    def ranges(self, value: Any, path: YamlPath) -> None:
        """Check every range in `value`."""
        word = word_of(value)
        if word == CHOICE:
            self._choice(read_choice(value, path, self.problems))
        elif word == BY_BUDGET:
            found = read_by_budget(value, path, self.problems)
            self._names_all(value, found, path)
            for _, below in found:
                self.ranges(below.value, below.path)
        elif word:
            read_numbers(value, path, self.problems)
        elif isinstance(value, Mapping):
            for key, below in value.items():
                self.ranges(below, (*path, key))

    def _choice(self, options: list[Located]) -> None:
        seen: list[Any] = []
        for option in options:
            value: Any = option.value
            if isinstance(value, Mapping):
                part = read_named(value, option.path, self.problems)
                if part is None:
                    continue
                self.ranges(part.params, part.path)
                value = part.name
            if any(value == other and type(value) is type(other) for other in seen):
                self.problems.add(option.path, "stands twice in this choice", value=value)
            seen.append(value)

    def _names_all(self, tree: Tree, found: list[tuple[Budget, Located]], path: YamlPath) -> None:
        """Refuse a `by_budget` without one of the sweep's budgets, or with a foreign one.

        Where MACs stand beside shares this has to wait until the dense network is known.
        """
        named = [budget for budget, _ in found]
        if found and len(found) == len(tree[BY_BUDGET]):  # else the others are wrong already
            for budget in self.budgets:
                if _foreign(budget, named):
                    self.problems.add((*path, BY_BUDGET), f"does not name the budget {budget}")
        for budget, located in found:
            if self.budgets and _foreign(budget, self.budgets):
                allowed = ", ".join(str(b) for b in self.budgets)
                self.problems.add(located.path, "is no budget of this sweep", allowed=allowed)


def _foreign(budget: Budget, among: list[Budget]) -> bool:
    """Whether `budget` is certainly none of the others."""
    return all(budget.comparable(other) and not budget.same(other) for other in among)
