"""Makes the recipe of a failing network smaller while it still fails."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

from tests.compress.random_networks.network import Recipe
from tests.compress.random_networks.oracle import check


def failure(recipe: Recipe, seed: int) -> Exception | None:
    """What the check of a network raises, if it raises."""
    try:
        check(recipe, seed)
    except Exception as error:
        return error
    return None


def shrunk(recipe: Recipe, seed: int, fails: Callable[[Recipe, int], Any] = failure) -> Recipe:
    """The smallest recipe found, by leaving out one step after the other, that fails alike."""
    kind = type(fails(recipe, seed))
    smaller = True
    while smaller:
        smaller = False
        for candidate in _candidates(recipe):
            if _runs(candidate) and type(fails(candidate, seed)) is kind:
                recipe, smaller = candidate, True
                break
    return recipe


def described(recipe: Recipe, seed: int) -> str:
    """Seed and recipe, so that `check(Recipe(*json.loads(…)), seed)` tries it again."""
    return f"seed {seed}: {json.dumps(recipe)}"


def _runs(recipe: Recipe) -> bool:
    from tests.compress.random_networks.network import network

    try:
        network(recipe)
    except Exception:
        return False
    return True


def _candidates(recipe: Recipe) -> Iterator[Recipe]:
    for path in _lists_of_steps(recipe.steps, ()):
        for i in range(len(_at(recipe.steps, path))):
            steps = copy.deepcopy(recipe.steps)
            del _at(steps, path)[i]
            yield recipe._replace(steps=steps)
            inner = [s for p in _lists_of_steps([_at(recipe.steps, path)[i]], ()) if p
                     for s in _at([_at(recipe.steps, path)[i]], p)]  # fmt: skip
            if inner:  # the steps inside take the place of the step
                steps = copy.deepcopy(recipe.steps)
                _at(steps, path)[i : i + 1] = copy.deepcopy(inner)
                yield recipe._replace(steps=steps)
    if recipe.head != "mean":
        yield recipe._replace(head="mean")


def _lists_of_steps(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """Where lists of steps lie in a recipe; a step is a name and its parameters."""
    if isinstance(value, list) and all(_is_step(item) for item in value):
        if value or not path:
            yield path
        for i, (_, params) in enumerate(value):
            for name, param in params.items():
                yield from _lists_of_steps(param, (*path, i, 1, name))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from _lists_of_steps(item, (*path, i))


def _is_step(value: Any) -> bool:
    return isinstance(value, tuple | list) and len(value) == 2 and isinstance(value[1], dict)


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for part in path:
        value = value[part]
    return value
