"""Arms that train by another arm's winning recipe (`recipe: {from: ARM}`) and search nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from prunetune.bind.cells import Cell
from prunetune.bind.lookup import BoundArm, Parts
from prunetune.config.file.model import SweepSpec
from prunetune.config.matching import Matching
from prunetune.config.problems.errors import Problems, near_match


def check_recipe_sources(
    spec: SweepSpec, parts: Parts, problems: Problems, cells: Sequence[Cell]
) -> None:
    """Refuse recipes lent by no arm, or to arms that search something or that others build on."""
    for name, arm in parts.arms.items():
        path = ("arms", name, "recipe")
        if arm.spec.recipe_from is None:
            source = parts.arms.get(arm.source or "")
            if source is not None and source.spec.recipe_from is not None and spec.search.trials:
                message = f"searches recipes on the winning shape of {source.name}, which has none"
                advice = f"recipe: {{from: {source.spec.recipe_from}}}"
                problems.add(("arms", name), message, allowed=advice)
            continue
        for field, message, value, allowed in _mistakes(spec, parts, arm, cells):
            near = near_match(value, spec.arms) if field == "from" else None
            problems.add((*path, field), message, value=value, allowed=allowed, near=near)


def recipe_matching(
    spec: SweepSpec, arm: BoundArm, lender: BoundArm, matching: Matching | None
) -> Matching | None:
    """The matching of the lender's study whose winning recipe a study under `matching` takes."""
    if lender.method.inherits:
        return None
    stated: Matching | None = arm.spec.recipe_match
    if stated is not None:
        return stated
    return matching if matching is not None else spec.matchings(lender.name)[0]


_Mistake = tuple[str, str, Any, str]
"""A field under the arm's recipe, what is wrong with it, its value, what is allowed."""


def _mistakes(
    spec: SweepSpec, parts: Parts, arm: BoundArm, cells: Sequence[Cell]
) -> Iterator[_Mistake]:
    wanted = arm.spec.recipe_from
    others = [n for n, a in spec.arms.items() if a.recipe_from is None and n != arm.name]
    if wanted not in others:
        yield "from", "names no other arm with a recipe of its own", wanted, ", ".join(others)
        return
    lender = parts.arms.get(wanted)
    if lender is None:  # its method is unknown, which has been noted
        return
    yield from _matching_mistakes(spec, arm, lender)
    lent = {cell.budget for cell in cells if cell.arm is lender}
    for cell in (cell for cell in cells if cell.arm is arm):
        if cell.budget not in lent or cell.budget is None:
            yield "from", f"{wanted} has no recipe for this arm's budget", wanted, "another arm"
            return
        for dimension in cell.space.dimensions:
            if dimension.searched and dimension.path.startswith("method."):
                message = f"this arm then searches nothing, but {dimension.path} is a range"
                yield "from", message, wanted, "a method of constants"
                return
    if arm.spec.first:
        yield "from", "this arm then searches nothing, but has `first`", wanted, "no first"


def _matching_mistakes(spec: SweepSpec, arm: BoundArm, lender: BoundArm) -> Iterator[_Mistake]:
    """Why it is not clear, or wrong, under which matching the lent recipe won."""
    stated = arm.spec.recipe_match
    if lender.method.inherits:
        if stated is not None:
            yield "match", f"{lender.name} inherits weights and has no matching", stated, "null"
        return
    lent = spec.matchings(lender.name)
    if stated is not None and stated not in lent:
        yield "match", f"is not a matching of {lender.name}", stated, ", ".join(lent)
    if stated is None and arm.method.inherits and len(lent) > 1:
        message = f"{lender.name} has a recipe for each matching; name one of them"
        yield "match", message, stated, ", ".join(lent)
    own = () if arm.method.inherits or stated is not None else spec.matchings(arm.name)
    if not set(own) <= set(lent):
        message = f"{lender.name} has fewer matchings than this arm; name one of them"
        yield "match", message, stated, ", ".join(lent)
