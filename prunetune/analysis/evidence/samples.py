"""The accuracies that represent an arm at a budget, and which arms can be compared in pairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from prunetune.analysis.evidence.confirmed import ConfirmedStudy
from prunetune.analysis.evidence.growths import planned
from prunetune.config.budget import RecordedBudget
from prunetune.plan import Plan, Study, matchings_of
from prunetune.registration import Registration


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
    """Arms of the same block may be compared in pairs, value by value."""
    paired: bool = False
    """Whether the plan compares the arms of a block in pairs. Then all of them have values of the
    same seeds, so that a difference of two arms is the difference of their means."""
    by_search: bool = False
    """Whether a value is a search rather than a confirm seed."""
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
        at_budget: dict[str | None, dict[str, Sample]] = {}
        for matching in matchings_of(studies):
            matched = [s for s in studies if s.matching in (None, matching)]
            at_budget[matching] = _samples(plan, matched, confirmed)
        if pairs_blocks(plan):
            at_budget = _with_common_values(at_budget)
        for matching, samples in at_budget.items():
            yield Contest(budget, matching, samples)


def _samples(
    plan: Plan, studies: Sequence[Study], confirmed: Mapping[str, ConfirmedStudy]
) -> dict[str, Sample]:
    arms: dict[str, list[ConfirmedStudy]] = {}
    for study in studies:
        arms.setdefault(study.arm, []).append(confirmed[study.id])
    return {arm: sample(plan, arm, of_arm) for arm, of_arm in arms.items()}


def sample(plan: Plan, arm: str, studies: Sequence[ConfirmedStudy]) -> Sample:
    """The values of one arm in one contest; `studies` has one study per replicate."""
    if plan.replicates > 1:
        values = {c.study.replicate: fmean(c.values.values()) for c in studies if c.values}
    else:
        values = {seed: value for c in studies for seed, value in c.values.items()}
    study = studies[0].study
    return Sample(
        arm,
        tuple(studies),
        values,
        _block(plan, study),
        by_search=plan.replicates > 1,
        infeasible=plan.infeasible(study.id),
    )


def pairs_blocks(plan: Plan) -> bool:
    """Whether arms of one block are compared in pairs: the plan decides, before any result.

    They are where so many values an arm were planned that pairs pay. Values that were added later
    do not count, and several looks rest on one test: Welch's.
    """
    rule = plan.registration or Registration()
    field = "search.replicates" if plan.replicates > 1 else "confirm.seeds"
    return not rule.looks and int(planned(plan, field, plan.n_independent)) >= rule.paired_from


def _with_common_values(
    at_budget: Mapping[str | None, Mapping[str, Sample]],
) -> dict[str | None, dict[str, Sample]]:
    """The samples of one budget; those of one block are cut down to the values that all have.

    An arm has the same values under every matching, so that its mean is the same.
    """
    keys: dict[str, set[int]] = {}
    arms: dict[str, set[str]] = {}
    for samples in at_budget.values():
        for each in samples.values():
            if each.values and not each.infeasible:
                keys[each.block] = keys.get(each.block, set(each.values)) & set(each.values)
                arms.setdefault(each.block, set()).add(each.arm)

    def cut(each: Sample) -> Sample:
        if len(arms.get(each.block, ())) < 2:
            return each
        values = {seed: v for seed, v in each.values.items() if seed in keys[each.block]}
        return replace(each, values=values, paired=True)

    return {
        matching: {arm: cut(each) for arm, each in samples.items()}
        for matching, samples in at_budget.items()
    }


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
