"""The space of every arm at every budget: method and recipe, expanded against their models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel

from prunetune.bind.lookup import Parts
from prunetune.compress.method import budget_kinds, finds_architecture
from prunetune.config.budget import FORMS, kind_of_budget, place_of, read_budget, resolve_all
from prunetune.config.file.model import SweepSpec
from prunetune.config.problems.errors import YamlPath, near_match
from prunetune.config.recipe import Recipe
from prunetune.config.space.expand import expand
from prunetune.config.space.space import Config, Dimension, Space
from prunetune.plan import RecordedBudget

Cell = tuple[str, RecordedBudget]
"""(arm, budget)"""


class Spaces:
    """Expands the raw trees of one sweep; `dense_macs` tells budgets written as MACs apart."""

    def __init__(self, spec: SweepSpec, parts: Parts, dense_macs: int) -> None:
        self.spec, self.parts, self.dense_macs = spec, parts, dense_macs

    def dense(self) -> Space:
        """The constants that the dense network is trained with; empty where it is loaded."""
        train = self.spec.workload.dense.train
        path: YamlPath = ("workload", "dense", "train", "recipe")
        tree = train.recipe if train else None
        return Space(dimensions=() if tree is None else self._expand("recipe", Recipe, tree, path))

    def budgets(self) -> tuple[tuple[float | str, int], ...]:
        """(budget as in records, target MACs), in the order of the file."""
        return resolve_all(self.spec.budgets, self.dense_macs, self.parts.problems)

    def by_study(self) -> dict[Cell, tuple[int, Space, tuple[Config, ...]]]:
        """(arm, budget) -> target MACs, space, and the configurations to be tried first."""
        budgets = self.budgets()
        found: dict[Cell, tuple[int, Space, tuple[Config, ...]]] = {}
        for arm in self.spec.arms:
            method = self.parts.method(arm)
            if method is None:
                continue
            self._source(arm)
            for budget, target in self._met_by(method, budgets):
                space = self._space(arm, budget)
                found[arm, budget] = (target, space, self._first(arm, space))
        readable = len(budgets) == len(self.spec.budgets)
        if readable and all(self.parts.method(arm) for arm in self.spec.arms):
            self._check_all_met(budgets, found)
        return found

    def _met_by(
        self, method: Any, budgets: Iterable[tuple[float | str, int]]
    ) -> list[tuple[RecordedBudget, int]]:
        """The budgets of the kinds that a method can meet; for one that meets none, no budget."""
        kinds = budget_kinds(method)
        if not kinds:
            return [(None, self.dense_macs)]
        return [(b, target) for b, target in budgets if kind_of_budget(b) in kinds]

    def _check_all_met(
        self, budgets: Iterable[tuple[float | str, int]], found: Mapping[Cell, Any]
    ) -> None:
        """Arms leave out budgets that are not for their method; no budget may be left out by all,
        and no arm be left without a study."""
        problems, written = self.parts.problems, self.spec.budgets
        met = {budget for _, budget in found}
        for budget in (b for b, _ in budgets if b not in met):
            needs = "masks single weights" if isinstance(budget, str) else "meets a budget in MACs"
            place = place_of(budget, written, self.dense_macs)
            message = f"no arm can meet this budget: it needs one whose method {needs}"
            problems.add(("budgets", place), message, value=written[place])
        for arm, of in self.spec.arms.items():
            if not any(arm == cell[0] for cell in found):
                message = "can meet none of the budgets"
                problems.add(("arms", arm, "method"), message, value=of.method.name, allowed=FORMS)

    def _space(self, arm: str, budget: RecordedBudget) -> Space:
        own = self.spec.arms[arm].method
        params = self.parts.lookup("methods", own.name)
        recipe, origins = self.spec.arm_recipe(arm)
        path: YamlPath = ("arms", arm, "method", own.name)
        method = self._expand("method", params, own.params, path, budget)
        shared = self._expand("recipe", Recipe, recipe, ("recipe",), budget, origins)
        return Space(dimensions=(*method, *shared))

    def _expand(
        self,
        prefix: str,
        model: type[BaseModel],
        tree: Mapping[str, Any],
        path: YamlPath,
        budget: RecordedBudget = None,
        origins: Mapping[str, YamlPath] | None = None,
    ) -> tuple[Dimension, ...]:
        return expand(
            prefix, model, tree, lookup=self.parts.lookup, problems=self.parts.problems, path=path,
            origins=origins, budget=budget, dense_macs=self.dense_macs,
        )  # fmt: skip

    def _first(self, arm: str, space: Space) -> tuple[Config, ...]:
        """The configurations that go before the sampler's own, each a whole point of the space."""
        found = []
        trials = self.spec.search.trials
        for i, written in enumerate(self.spec.arms[arm].first):
            path: YamlPath = ("arms", arm, "first", i)
            if i >= trials:
                message = f"would never be tried: search.trials is {trials}"
                self.parts.problems.add(path, message, allowed=f"{trials} at most")
            try:
                config = space.draw(lambda dimension, at=written: at[dimension.path])  # type: ignore[misc]
            except KeyError as missing:
                message = f"does not name {missing.args[0]}, which this arm searches"
                self.parts.problems.add(path, message)
                continue
            chosen = space.searched(config)
            for name in sorted(written.keys() - chosen.keys()):
                self.parts.problems.unknown((*path, name), chosen)
            for problem in space.problems(config):
                self.parts.problems.add(path, problem)
            found.append(chosen)
        return tuple(found)

    def _source(self, arm: str) -> None:
        """An arm that trains another's architecture must name one that finds its own, and where."""
        method = self.parts.method(arm)
        if method is None or not method.takes_architecture:
            return
        own = self.spec.arms[arm].method
        path: YamlPath = ("arms", arm, "method", own.name)
        finders = [
            name
            for name in self.spec.arms
            if (other := self.parts.method(name)) and finds_architecture(other)
        ]
        source = own.params.get("from")
        if source is not None and source not in finders:
            message = "names no arm that finds an architecture of its own"
            allowed = ", ".join(finders)
            near = near_match(source, finders) if isinstance(source, str) else None
            self.parts.problems.add(
                (*path, "from"), message, value=source, allowed=allowed, near=near
            )
        known = [budget for budget, _ in self.budgets() if kind_of_budget(budget) == "macs"]
        at = own.params.get("at")
        if at is not None and not _is_among(at, known, self.dense_macs):
            allowed = ", ".join(map(str, known))
            message = "is not one budget of this sweep"
            self.parts.problems.add((*path, "at"), message, value=at, allowed=allowed)


def _is_among(written: Any, budgets: Iterable[RecordedBudget], dense_macs: int) -> bool:
    """Whether what was written is one of these budgets."""
    try:
        return read_budget(written).recorded(dense_macs) in budgets
    except ValueError:
        return False
