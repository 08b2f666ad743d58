"""Checks the parts of a sweep file that its models hold as raw trees: ranges, names, references.

This module does not know which parts exist; binding looks up their names and parameters later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from prunetune.config.budget import Budget, read_budget, refuse_second_spelling
from prunetune.config.file.model import MOST_BUDGETS
from prunetune.config.file.tracking_uri import check_tracking
from prunetune.config.problems.errors import Problems, YamlPath
from prunetune.config.recipe import Recipe
from prunetune.config.space.nodes import ByBudgetNode, YamlNode, range_word
from prunetune.config.space.reading import read_fields, read_named

Tree = Mapping[str, Any]

LENT = "from"
"""`arms.X.recipe: {from: ARM}`: that arm's winning recipe; X searches nothing itself."""
_DENSE_RECIPE: YamlPath = ("workload", "dense", "train", "recipe")


def check_file(tree: Tree, problems: Problems) -> None:
    """Note the mistakes in the raw trees of a sweep file, and between its fields."""
    checker = _Checker(problems, _budgets(tree, problems))
    workload = _mapping(tree, "workload")
    for part in ("model", "dataset"):
        _refuse_ranges(workload.get(part), ("workload", part), problems)
    dense = _mapping(_mapping(_mapping(workload, "dense"), "train"), "recipe")
    _refuse_ranges(dense, _DENSE_RECIPE, problems)
    checker.check_recipe(dense, _DENSE_RECIPE)
    checker.check_recipe(_mapping(tree, "recipe"), ("recipe",))
    check_tracking(tree, problems)
    for name, arm in _mapping(tree, "arms").items():
        if isinstance(arm, Mapping):
            checker.check_arm(arm, ("arms", name))


def _mapping(tree: Tree, key: str) -> Tree:
    """The mapping under `key`; an empty one where there is none."""
    value = tree.get(key)
    return value if isinstance(value, Mapping) else {}


def _budgets(tree: Tree, problems: Problems) -> list[Budget]:
    """The budgets that can be read; a second spelling of one is a problem."""
    budgets: list[tuple[Budget, Any]] = []
    written = tree.get("budgets")
    for i, value in enumerate(written[:MOST_BUDGETS] if isinstance(written, list) else []):
        try:
            budget = read_budget(value)
        except ValueError:
            continue  # the model of the file notes it
        if same := [first for other, first in budgets if budget.same(other)]:
            refuse_second_spelling(value, same[0], ("budgets", i), problems)
        budgets.append((budget, value))
    return [budget for budget, _ in budgets]


def _refuse_ranges(value: Any, path: YamlPath, problems: Problems) -> None:
    """Refuse every range within `value`."""
    if word := range_word(value):
        problems.add(path, f"{{{word}: …}} where nothing is searched", allowed="constants")
    elif isinstance(value, Mapping):
        for key, below in value.items():
            _refuse_ranges(below, (*path, key), problems)


@dataclass(frozen=True)
class _Checker:
    """Reads raw trees for their problems; every `by_budget` must name all `budgets`."""

    problems: Problems
    budgets: list[Budget]

    def check_recipe(self, tree: Tree, path: YamlPath) -> None:
        """Check the fields of a recipe, and the ranges in them."""
        self._check_budgets(read_fields(tree, path, Recipe, self.problems))

    def check_arm(self, arm: Tree, path: YamlPath) -> None:
        """Check the method and the recipe of an arm, and the names under `first`."""
        if "method" in arm:
            method = read_named(arm["method"], (*path, "method"), self.problems)
            if method is not None:
                self._check_budgets(method)
        recipe = _mapping(arm, "recipe")
        if LENT in recipe:
            for key in recipe.keys() - {LENT, "match"}:
                message = f"stands beside {LENT}, which takes the whole recipe of another arm"
                self.problems.add((*path, "recipe", key), message, allowed=f"{LENT}, match")
        else:
            self.check_recipe(recipe, (*path, "recipe"))
        first = arm.get("first")
        for i, config in enumerate(first if isinstance(first, list) else []):
            for key in config if isinstance(config, Mapping) else ():
                if not key.startswith(("recipe.", "method.")):
                    message = "must be dotted as in a record's config"
                    place = (*path, "first", i, key)
                    self.problems.add(place, message, allowed="recipe.… or method.…")

    def _check_budgets(self, tree: YamlNode) -> None:
        """Check that every `by_budget` in the tree names the budgets of the sweep and no others.

        Budgets in MACs and shares cannot be compared until the dense network is known: expansion
        checks them.
        """
        for node in tree.walk():
            if isinstance(node, ByBudgetNode):
                named = [budget for budget, _ in node.values]
                for budget in self.budgets if node.complete else ():
                    if _is_missing(budget, named):
                        node.refuse_missing(budget, self.problems)
                for budget, value in node.values:
                    if self.budgets and _is_missing(budget, self.budgets):
                        allowed = ", ".join(map(str, self.budgets))
                        message = "is no budget of this sweep"
                        self.problems.add(value.path, message, allowed=allowed)


def _is_missing(budget: Budget, among: list[Budget]) -> bool:
    """Whether `budget` is certainly none of the others."""
    return all(budget.comparable(other) and not budget.same(other) for other in among)
