"""The values that stand for an arm at a budget, and which arms share a block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from prunetune.analysis.evidence.confirmed import Confirmed
from prunetune.plan import Plan, RecordedBudget, Study


@dataclass(frozen=True)
class Sample:
    """What is known of one arm at one budget under one matching.

    With one search per study a unit is a confirm seed, and the answer is about the recipe found.
    With replicates a unit is a whole search, its value the mean of its confirm seeds: seeds of one
    search are pseudo-replicates of the arm.
    """

    arm: str
    studies: tuple[Confirmed, ...]
    values: Mapping[int, float]
    """Unit (confirm seed or replicate) -> accuracy."""
    block: str
    """Arms of one block are compared unit by unit, others by Welch's test."""
    infeasible: str | None = None
    """Why the arm does not exist at this budget."""

    @property
    def pending(self) -> int:
        """Confirm seeds still to come."""
        return sum(len(c.pending) for c in self.studies)

    @property
    def flattered(self) -> bool:
        """Whether what was lost makes the rest look too good."""
        return any(c.flattered for c in self.studies)


@dataclass(frozen=True)
class Contest:
    """A budget under a matching: where arms meet."""

    budget: RecordedBudget
    matching: str | None
    samples: Mapping[str, Sample]


def contests(plan: Plan, confirmed: Mapping[str, Confirmed]) -> Iterator[Contest]:
    """Every cell of the plan, in the order of the file."""
    for budget in plan.budgets():
        if budget is None:
            continue
        here = [s for s in plan.studies if s.budget == budget]
        for matching in tuple(dict.fromkeys(s.matching for s in here if s.matching)) or (None,):
            arms: dict[str, list[Confirmed]] = {}
            for study in here:
                if study.matching in (None, matching):
                    arms.setdefault(study.arm, []).append(confirmed[study.id])
            yield Contest(budget, matching, {a: sample(plan, a, cs) for a, cs in arms.items()})


def sample(plan: Plan, arm: str, studies: Sequence[Confirmed]) -> Sample:
    """The values of one arm in one cell, one study a replicate."""
    if plan.replicates > 1:
        values = {c.study.replicate: fmean(c.values.values()) for c in studies if c.values}
    else:
        values = {seed: value for c in studies for seed, value in c.values.items()}
    study = studies[0].study
    why = next((s.infeasible for s in (study, *_sources(plan, study)) if s.infeasible), None)
    return Sample(arm, tuple(studies), values, _block(plan, study), why)


def _sources(plan: Plan, study: Study) -> Iterator[Study]:
    """The studies whose architectures stand behind this one's, the nearest first."""
    while study.source:
        study = plan.study(study.source)
        yield study


def _block(plan: Plan, study: Study) -> str:
    """What a study shares, unit by unit, with others of the same block.

    The architecture that a source's unit produced, and the dense network where there is one for
    each unit: one per confirm seed, or one per replicate.
    """
    *_, root = (study, *_sources(plan, study))
    own_dense = plan.dense_fresh or (plan.replicates > 1 and plan.dense.source == "train")
    return "dense" if root.inherits and own_dense else f"{root.arm} {root.budget}"
