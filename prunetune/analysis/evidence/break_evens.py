"""Break-even: how much training makes a network from scratch equal a pruned one, at each budget."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from statistics import fmean

from prunetune.analysis.evidence.confirmed import ConfirmedStudy, grain
from prunetune.analysis.evidence.point_costs import PointCost
from prunetune.config.budget import RecordedBudget
from prunetune.plan import Plan, Study
from prunetune.records.record import Frozen
from prunetune.statistics.breakeven import LENGTHS, BreakEven, break_even


class TrainedLength(Frozen):
    """A length of training from scratch, and the mean test accuracy that it brought."""

    matching: str | None
    macs: float
    acc1: float
    n: int


class BudgetBreakEven(Frozen):
    """An arm from scratch against an arm that inherits weights, at one budget.

    The factor is training MACs over those of the inheriting arm's network, its dense network
    included. Below `free_dense` the arm from scratch wins even if the dense network is free, and
    between `free_dense` and 1 only if it is charged. Above 1 it needs more training than the other
    arm had in all.
    """

    budget: RecordedBudget
    scratch: str
    inherits: str
    free_dense: float
    """The factor that stands for the inheriting network's own training alone."""
    lengths: tuple[TrainedLength, ...]
    inherits_acc1: float
    factor: BreakEven | None = None
    """None where accuracy does not rise with training, or there are fewer than two values."""


def break_evens(
    plan: Plan, confirmed: Mapping[str, ConfirmedStudy], points: Sequence[PointCost]
) -> tuple[BudgetBreakEven, ...]:
    """Every pair at every budget for which three lengths of training are there."""
    costs = {point.study: point for point in points}
    return tuple(
        found
        for budget in plan.budgets()
        if budget is not None
        for found in _at_budget(plan, budget, confirmed, costs)
    )


def _at_budget(
    plan: Plan,
    budget: RecordedBudget,
    confirmed: Mapping[str, ConfirmedStudy],
    costs: Mapping[str, PointCost],
) -> Iterator[BudgetBreakEven]:
    arms: dict[str, dict[str | None, list[Study]]] = {}
    for study in plan.studies:
        if study.budget == budget and confirmed[study.id].values:
            arms.setdefault(study.arm, {}).setdefault(study.matching, []).append(study)
    scratch = {arm: m for arm, m in arms.items() if None not in m and len(m) >= LENGTHS}
    heirs = {arm: m[None] for arm, m in arms.items() if None in m and m[None][0].inherits}
    for (arm, by_matching), (heir, studies) in product(scratch.items(), heirs.items()):
        lengths = {
            matching: (_macs(of_length, costs), _values(plan, of_length, confirmed))
            for matching, of_length in by_matching.items()
        }
        values, total = _values(plan, studies, confirmed), _macs(studies, costs)
        own = fmean(costs[study.id].own_macs or 0.0 for study in studies)
        yield BudgetBreakEven(
            budget=budget,
            scratch=arm,
            inherits=heir,
            free_dense=own / total,
            lengths=tuple(
                TrainedLength(matching=matching, macs=macs, acc1=fmean(accs), n=len(accs))
                for matching, (macs, accs) in lengths.items()
            ),
            inherits_acc1=fmean(values),
            factor=break_even(dict(lengths.values()), values, total, grain(plan)),
        )


def _macs(studies: Sequence[Study], costs: Mapping[str, PointCost]) -> float:
    return fmean(costs[study.id].attributed_macs or 0.0 for study in studies)


def _values(
    plan: Plan, studies: Sequence[Study], confirmed: Mapping[str, ConfirmedStudy]
) -> list[float]:
    """Independent accuracies: one per search if there are several, else one per seed."""
    of_studies = [list(confirmed[study.id].values.values()) for study in studies]
    if plan.replicates > 1:
        return [fmean(values) for values in of_studies]
    return [value for values in of_studies for value in values]
