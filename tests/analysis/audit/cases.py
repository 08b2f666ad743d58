"""A clean sweep, which no rule of the audit objects to, and ways to break it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from prunetune.agenda import Agenda, Trials
from prunetune.analysis.audit.case import Case
from prunetune.analysis.evidence.confirmed import confirmed_studies
from prunetune.analysis.evidence.frontier import dense_result, frontier_rows
from prunetune.analysis.evidence.other_sweeps import OtherSweep
from prunetune.analysis.evidence.samples import contests
from prunetune.analysis.verdicts.comparisons import compare
from prunetune.analysis.verdicts.second_verdicts import second_verdicts
from prunetune.analysis.verdicts.verdict import verdicts
from prunetune.config.parts import Named
from prunetune.plan import Plan, Study
from prunetune.records.record import Record
from tests.analysis.sweeps import make_plan, noisy, run

BUDGETS = (0.5, 0.39, 0.25, 0.125)
VAL_ACC1 = (0.86, 0.87, 0.8795, 0.88)
"""Of the search trials: the last third raises the best by 0.05 points only."""


@dataclass(frozen=True)
class Sweep:
    """A plan with its records and what else lies in the storage."""

    plan: Plan
    records: dict[str, Record]
    others: tuple[OtherSweep, ...] = ()

    def case(self) -> Case:
        """What the rules look at."""
        plan, records = self.plan, self.records
        agenda = Agenda(plan, Trials(records))
        confirmed = confirmed_studies(agenda)
        dense = dense_result(plan, records.values())
        rows = frontier_rows(plan, records.values(), confirmed, dense)
        compared = tuple(contests(plan, confirmed))
        judged = compare(plan, compared)
        at_budgets = verdicts(plan, compared, judged.pairs)
        second = second_verdicts(agenda, confirmed, at_budgets, judged.frontiers)
        return Case(
            agenda, confirmed, dense, rows, at_budgets, judged.frontiers, self.others, second
        )

    def planned(self, **fields: Any) -> Sweep:
        """With other fields of the plan."""
        return replace(self, plan=self.plan.model_copy(update=fields))

    def dense(self, **fields: Any) -> Sweep:
        """With other facts of the dense network."""
        return self.planned(dense=self.plan.dense.model_copy(update=fields))

    def studies(self, which: Callable[[Study], bool], **fields: Any) -> Sweep:
        """With other fields of some studies."""
        changed = (s.model_copy(update=fields) if which(s) else s for s in self.plan.studies)
        return self.planned(studies=tuple(changed))

    def changed(self, which: Callable[[Record], bool], **fields: Any) -> Sweep:
        """With other fields of some records."""
        records = {
            key: r.model_copy(update=fields) if which(r) else r for key, r in self.records.items()
        }
        assert records != self.records
        return replace(self, records=records)

    def without(self, which: Callable[[Record], bool]) -> Sweep:
        """Without some records."""
        return replace(self, records={k: r for k, r in self.records.items() if not which(r)})


def clean_sweep() -> Sweep:
    """Two arms at four budgets, five seeds, all equal, all finished."""
    plan = make_plan(
        budgets=BUDGETS, matchings=("marginal",), trials=len(VAL_ACC1), sampler=Named(name="random")
    )
    dense = plan.dense.model_copy(update={"salient": {"recipe.weight_decay": 1e-4}})
    plan = plan.model_copy(update={"dense": dense})
    return Sweep(plan, with_search(run(plan, noisy({"thin": 0.925, "pruned": 0.93}))))


def with_search(records: dict[str, Record]) -> dict[str, Record]:
    """The records with the validation accuracies of `VAL_ACC1` in every search."""
    return {
        key: r.model_copy(update={"val_acc1": VAL_ACC1[r.number or 0]})
        if r.phase == "search"
        else r
        for key, r in records.items()
    }


def of(arm: str | None = None, phase: str | None = None, number: int | None = None):  # type: ignore[no-untyped-def]
    """A test for records (or studies) by arm, phase and number."""

    def holds(item: Any) -> bool:
        wanted = {"arm": arm, "phase": phase, "number": number}
        return all(getattr(item, k) == v for k, v in wanted.items() if v is not None)

    return holds
