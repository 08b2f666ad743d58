"""Whether each arm can meet each of its budgets; its method says so before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence

from prunetune.bind.cells import Cell
from prunetune.bind.variants import variants
from prunetune.compress.method import Target, reach
from prunetune.config.budget import sparsity_of
from prunetune.config.problems.errors import Problems
from prunetune.config.space.space import Config, subtree
from prunetune.plan import Reach
from prunetune.records.key import canonical
from prunetune.workload import Workload


class ReachFinder:
    """Asks methods for their reach, once per choice of parameters for all budgets together."""

    def __init__(
        self, cells: Sequence[Cell], workload: Workload, tolerance: float, problems: Problems
    ) -> None:
        self.cells, self.workload = cells, workload
        self.tolerance, self.problems = tolerance, problems
        self._answers: dict[tuple[str, str, tuple[Target, ...]], tuple[Reach, ...]] = {}

    def find(self, cell: Cell) -> tuple[Reach, ...]:
        """The reach of a cell under each scope that it may draw, the best over other parameters."""
        siblings = [other for other in self.cells if other.arm is cell.arm]
        targets, index = tuple(map(self._target, siblings)), siblings.index(cell)
        best: dict[str, Reach] = {}
        for config in variants(cell.space):
            answer = self._ask(cell, config, targets)[index]
            scope = _scope(cell, config)
            if scope not in best or answer.within > best[scope].within:
                best[scope] = answer.model_copy(update={"scope": scope})
        return tuple(best.values())

    def _target(self, cell: Cell) -> Target:
        sparsity = sparsity_of(cell.budget)
        return Target(cell.target_macs, self.workload.macs, self.tolerance, sparsity)

    def _ask(self, cell: Cell, config: Config, targets: tuple[Target, ...]) -> tuple[Reach, ...]:
        name, params = cell.arm.spec.method.name, subtree(config, "method")
        question = (name, canonical(params), targets)
        if question not in self._answers:
            architecture = self.workload.architecture
            try:
                checked = cell.arm.params.model_validate(params)
                answers = reach(name, checked, architecture, targets) or ()
            except ValueError as error:  # the method does not apply to this network at all
                self.problems.add(cell.arm.path, str(error))
                answers = tuple(
                    Reach(smallest_macs=0, nearest_macs=0, within=False) for _ in targets
                )
            self._answers[question] = answers
        return self._answers[question]


def _scope(cell: Cell, config: Config) -> str:
    """The scope of a configuration, its way of scaling, or else the name of the method."""
    if config.get("method.by", "width") != "width":
        return f"by {config['method.by']}"
    return str(config.get("method.scope", cell.arm.spec.method.name))
