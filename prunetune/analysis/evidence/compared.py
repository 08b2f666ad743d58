"""What a plan compares with what: at each budget and matching, one study per arm."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from prunetune.config.budget import RecordedBudget, budget_words
from prunetune.plan import Plan, Study, matchings_of


@dataclass(frozen=True)
class Compared:
    """The studies that are compared with each other, those of the first replicate."""

    budget: RecordedBudget
    matching: str | None
    studies: tuple[Study, ...]

    @property
    def name(self) -> str:
        """`25 % of the dense MACs, scratch_b`."""
        return budget_words(self.budget) + (f", {self.matching}" if self.matching else "")

    def searching(self) -> tuple[Study, ...]:
        """The studies that search anything."""
        return tuple(study for study in self.studies if searched_paths(study))


def compared_studies(plan: Plan) -> Iterator[Compared]:
    """Everything that the plan compares, in the order of the file."""
    for budget in plan.budgets():
        if budget is None:
            continue
        studies = [s for s in plan.studies if s.budget == budget and s.replicate == 0]
        studies = [s for s in studies if plan.infeasible(s.id) is None]
        for matching in matchings_of(studies):
            rivals = tuple(s for s in studies if s.matching in (None, matching))
            if len(rivals) > 1:
                yield Compared(budget, matching, rivals)


def replicates_of(plan: Plan, study: Study) -> tuple[Study, ...]:
    """The same study in every replicate of the search."""
    identity = (study.arm, study.budget, study.matching)
    return tuple(s for s in plan.studies if (s.arm, s.budget, s.matching) == identity)


def searched_paths(study: Study) -> list[str]:
    """The dotted names of all values that the study searches."""
    dimensions = study.space.dimensions if study.trials else ()
    return [dimension.path for dimension in dimensions if dimension.searched]
