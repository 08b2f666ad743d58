"""The accuracies that represent an arm at a budget, and which arms can be compared in pairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from prunetune.analysis.evidence.confirmed import ConfirmedStudy
from prunetune.config.budget import RecordedBudget
from prunetune.plan import Plan, Study, matchings_of


@dataclass(frozen=True)
class Sample:
    """The independent accuracies of one arm at one budget under one matching.

    With one search per study there is one value per confirm seed, and a verdict is about the recipe
    found. With replicates there is one value per search, the mean of its confirm seeds: seeds of
    one search are pseudo-replicates, not independent results of the arm.
    """

    arm: str
    studies: tuple[ConfirmedStudy, ...]
    values: Mapping[int, float]
    """Confirm seed (with replicates: number of the search) -> accuracy."""
    block: str
    """Arms of the same block are compared in pairs, seed by seed; others by Welch's test."""
    infeasible: str | None = None
    """Why the arm does not exist at this budget."""

    @property
    def pending(self) -> int:
        """Number of confirm seeds still to come."""
        return sum(len(c.pending) for c in self.studies)

    @property
    def flattered(self) -> bool:
        """Whether lost trials make the remaining values overstate the arm."""
        return any(c.flattered for c in self.studies)


@dataclass(frozen=True)
class Contest:
    """A budget under a matching: the place where arms are compared."""

    budget: RecordedBudget
    matching: str | None
    samples: Mapping[str, Sample]


def contests(plan: Plan, confirmed: Mapping[str, ConfirmedStudy]) -> Iterator[Contest]:
    """Every contest of the plan, in the order of the file."""
    for budget in plan.budgets():
        if budget is None:
            continue
        studies = [s for s in plan.studies if s.budget == budget]
        for matching in matchings_of(studies):
            arms: dict[str, list[ConfirmedStudy]] = {}
            for study in studies:
                if study.matching in (None, matching):
                    arms.setdefault(study.arm, []).append(confirmed[study.id])
            yield Contest(budget, matching, {a: sample(plan, a, cs) for a, cs in arms.items()})


def sample(plan: Plan, arm: str, studies: Sequence[ConfirmedStudy]) -> Sample:
    """The values of one arm in one contest; `studies` has one study per replicate."""
    if plan.replicates > 1:
        values = {c.study.replicate: fmean(c.values.values()) for c in studies if c.values}
    else:
        values = {seed: value for c in studies for seed, value in c.values.items()}
    study = studies[0].study
    return Sample(arm, tuple(studies), values, _block(plan, study), plan.infeasible(study.id))


def _block(plan: Plan, study: Study) -> str:
    """A name for what the study shares, seed by seed, with other studies of the same block.

    Studies share the architecture that their common source found with a seed. Studies that inherit
    weights share the dense network of a seed, if every confirm seed or replicate has its own.
    """
    root = study
    while root.source:
        root = plan.study(root.source)
    own_dense = plan.dense_fresh or (plan.replicates > 1 and plan.dense.source == "train")
    return "dense" if root.inherits and own_dense else f"{root.arm} {root.budget}"
