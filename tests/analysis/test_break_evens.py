"""The break-even factor on made-up sweeps in which it is known."""

from __future__ import annotations

import math

import pytest

from prunetune.agenda import Agenda, Trials
from prunetune.analysis.evidence.break_evens import BudgetBreakEven, break_evens
from prunetune.analysis.evidence.confirmed import confirmed_studies
from prunetune.analysis.evidence.point_costs import point_costs
from prunetune.plan import Plan
from prunetune.records.record import Record, TrainMacs
from tests.analysis.sweeps import make_plan, noisy, run

LENGTHS = {"marginal": 100, "scratch_e": 300, "scratch_b": 1000}
OWN, DENSE = 100, 900
SLOPE = 0.02
"""Accuracy that thin networks gain when their training grows by the factor e."""


def found(
    equal_at: float, lengths: dict[str, int] = LENGTHS, replicates: int = 1
) -> tuple[BudgetBreakEven, ...]:
    """A sweep in which thin networks trained for `equal_at` MACs are as good as pruned ones."""
    plan = make_plan(matchings=tuple(lengths), budgets=(0.5,), seeds=4, replicates=replicates)
    made = run(plan, noisy({"thin": 0.9, "pruned": 0.9}, spread=0.0005))
    records = {key: _changed(plan, r, equal_at, lengths) for key, r in made.items()}
    agenda = Agenda(plan, Trials(records))
    return break_evens(plan, confirmed_studies(agenda), point_costs(agenda))


def _changed(plan: Plan, r: Record, equal_at: float, lengths: dict[str, int]) -> Record:
    if r.arm == "pruned":
        total = OWN + DENSE
        macs = TrainMacs(train=OWN, inherited=DENSE, total=total, spent=OWN)
        return r.model_copy(update={"train_macs": macs})
    if r.arm == "thin":
        trained = lengths[r.matching or ""]
        macs = TrainMacs(train=trained, total=trained, spent=trained)
        gain = SLOPE * math.log(trained / equal_at)
        test = None if r.test_acc1 is None else r.test_acc1 + gain
        return r.model_copy(update={"train_macs": macs, "test_acc1": test})
    return r


@pytest.mark.parametrize("replicates", [1, 3])
@pytest.mark.parametrize("factor", [0.2, 0.5, 0.9])
def test_the_factor_is_found(factor: float, replicates: int) -> None:
    (row,) = found(factor * (OWN + DENSE), replicates=replicates)
    assert (row.budget, row.scratch, row.inherits) == (0.5, "thin", "pruned")
    assert row.free_dense == pytest.approx(OWN / (OWN + DENSE))
    assert row.factor is not None
    assert row.factor.factor == pytest.approx(factor, rel=0.15)
    assert row.factor.low is not None
    assert row.factor.high is not None
    assert row.factor.low < factor < row.factor.high
    assert not row.factor.extrapolated
    lengths = {length.matching: length for length in row.lengths}
    assert {m: length.macs for m, length in lengths.items()} == LENGTHS
    assert {length.n for length in row.lengths} == {replicates if replicates > 1 else 4}
    assert lengths["marginal"].acc1 < lengths["scratch_e"].acc1 < lengths["scratch_b"].acc1


def test_a_factor_beyond_the_trained_lengths_is_called_so() -> None:
    (row,) = found(5 * (OWN + DENSE))
    assert row.factor is not None
    assert row.factor.extrapolated


def test_two_lengths_are_not_enough() -> None:
    assert found(500, {"marginal": 100, "scratch_b": 1000}) == ()
