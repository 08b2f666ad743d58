"""The cells of a sweep: every arm at every budget, with the space that its studies search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import BaseModel

from prunetune.bind.lookup import BoundArm, Parts
from prunetune.compress.method import budget_kinds, finds_architecture
from prunetune.config.budget import (
    BUDGET_FORMS,
    RecordedBudget,
    ResolvedBudget,
    index_of_budget,
    kind_of_budget,
    read_budget,
    resolve_all,
)
from prunetune.config.file.model import SweepSpec
from prunetune.config.problems.errors import YamlPath, near_match
from prunetune.config.recipe import Recipe
from prunetune.config.space.expand import expand
from prunetune.config.space.space import Config, Dimension, Space


@dataclass(frozen=True, eq=False)
class Cell:
    """An arm at a budget; matchings and replicates make studies of it."""

    arm: BoundArm
    budget: RecordedBudget
    target_macs: int
    space: Space
    first: tuple[Config, ...]
    """The configurations that are tried before the sampler's own."""


class CellBuilder:
    """Makes the cells of one sweep; `dense_macs` tells budgets written as MACs apart."""

    def __init__(self, spec: SweepSpec, parts: Parts, dense_macs: int) -> None:
        self.spec, self.parts, self.dense_macs = spec, parts, dense_macs
        self.problems = parts.problems

    def dense_space(self) -> Space:
        """The constants that the dense network is trained with; empty where it is loaded."""
        train = self.spec.workload.dense.train
        if train is None:
            return Space()
        path: YamlPath = ("workload", "dense", "train", "recipe")
        return Space(dimensions=self._expand("recipe", Recipe, train.recipe, path))

    def cells(self) -> tuple[Cell, ...]:
        """Every arm at every budget that its method can meet, in the order of the file."""
        arms, cells = self.parts.arms, []
        for arm in arms.values():
            self._check_source(arm)
            for budget, target in self._budgets_of(arm):
                space = self._space(arm, budget)
                cells.append(Cell(arm, budget, target, space, self._first(arm, space)))
        all_budgets_read = len(self._budgets) == len(self.spec.budgets)
        if all_budgets_read and len(arms) == len(self.spec.arms):
            self._check_all_met(cells)
        return tuple(cells)

    @cached_property
    def _budgets(self) -> tuple[ResolvedBudget, ...]:
        return resolve_all(self.spec.budgets, self.dense_macs, self.problems)

    def _budgets_of(self, arm: BoundArm) -> list[ResolvedBudget]:
        """The budgets of the kinds that the arm's method can meet; None if it meets no kind."""
        kinds = budget_kinds(arm.method)
        if not kinds:
            return [ResolvedBudget(None, self.dense_macs)]
        return [budget for budget in self._budgets if kind_of_budget(budget.budget) in kinds]

    def _check_all_met(self, cells: Sequence[Cell]) -> None:
        """Refuse a budget that no arm can meet, and an arm that can meet no budget."""
        written, met = self.spec.budgets, {cell.budget for cell in cells}
        for budget in (b.budget for b in self._budgets if b.budget not in met):
            masked = kind_of_budget(budget) == "sparsity"
            needs = "masks single weights" if masked else "meets a budget in MACs"
            index = index_of_budget(budget, written, self.dense_macs)
            message = f"no arm can meet this budget: it needs one whose method {needs}"
            self.problems.add(("budgets", index), message, value=written[index])
        for name, arm in self.spec.arms.items():
            if not any(cell.arm.name == name for cell in cells):
                self.problems.add(
                    ("arms", name, "method"),
                    "can meet none of the budgets",
                    value=arm.method.name,
                    allowed=BUDGET_FORMS,
                )

    def _space(self, arm: BoundArm, budget: RecordedBudget) -> Space:
        recipe, origins = self.spec.arm_recipe(arm.name)
        params = arm.spec.method.params
        method = self._expand("method", arm.params, params, arm.path, budget)
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
            prefix, model, tree, lookup=self.parts.params_model, problems=self.problems, path=path,
            origins=origins, budget=budget, dense_macs=self.dense_macs,
        )  # fmt: skip

    def _first(self, arm: BoundArm, space: Space) -> tuple[Config, ...]:
        """The searched values of each configuration under `first`, checked against the space."""
        configs = []
        trials = self.spec.search.trials
        for i, written in enumerate(arm.spec.first):
            path: YamlPath = ("arms", arm.name, "first", i)
            if i >= trials:
                message = f"would never be tried: search.trials is {trials}"
                self.problems.add(path, message, allowed=f"{trials} at most")
            try:
                config = space.draw(lambda dimension, at=written: at[dimension.path])  # type: ignore[misc]
            except KeyError as missing:
                message = f"does not name {missing.args[0]}, which this arm searches"
                self.problems.add(path, message)
                continue
            searched = space.searched(config)
            for name in sorted(written.keys() - searched.keys()):
                self.problems.unknown((*path, name), searched)
            for problem in space.problems(config):
                self.problems.add(path, problem)
            configs.append(searched)
        return tuple(configs)

    def _check_source(self, arm: BoundArm) -> None:
        """Check the arm (and the budget) whose architecture this arm trains."""
        if not arm.method.takes_architecture:
            return
        finders = [name for name, a in self.parts.arms.items() if finds_architecture(a.method)]
        if arm.source is not None and arm.source not in finders:
            self.problems.add(
                (*arm.path, "from"),
                "names no arm that finds an architecture of its own",
                value=arm.spec.method.params["from"],
                allowed=", ".join(finders),
                near=near_match(arm.source, finders),
            )
        budgets = [b.budget for b in self._budgets if kind_of_budget(b.budget) == "macs"]
        at = arm.spec.method.params.get("at")
        if at is not None and not self._is_among(at, budgets):
            allowed = ", ".join(map(str, budgets))
            message = "is not one budget of this sweep"
            self.problems.add((*arm.path, "at"), message, value=at, allowed=allowed)

    def _is_among(self, written: Any, budgets: Sequence[RecordedBudget]) -> bool:
        """Whether `written` means one of the recorded budgets."""
        try:
            return read_budget(written).recorded(self.dense_macs) in budgets
        except ValueError:
            return False
