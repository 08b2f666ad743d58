"""Costs of points: attributed in full, spent once, and conserved whatever happened to a trial."""

from __future__ import annotations

import random

import pytest

from prunetune.agenda import Agenda, Trials
from prunetune.analysis.evidence.ledger import ledger
from prunetune.analysis.evidence.point_costs import PointCost, point_costs
from prunetune.plan import Plan
from prunetune.records.record import Record, TrainMacs
from tests.agenda.simulated import Sweep
from tests.agenda.simulated import plan as crossed_plan
from tests.analysis.sweeps import make_plan, noisy, run

ARMS = {"thin": "width_scaling", "pruned": "channel_pruning", "reinit": "reinit"}
DENSE, SCORE, TUNE, SCRATCH = 1000, 10, 300, 900


def costs_of(record: Record) -> TrainMacs:
    """What a trial costs in a sweep where every dense network costs the same."""
    if record.phase == "dense":
        return TrainMacs(train=DENSE, total=DENSE, spent=DENSE + 7)
    if record.arm == "pruned":
        total = SCORE + TUNE + DENSE
        return TrainMacs(score=SCORE, train=TUNE, inherited=DENSE, total=total, spent=TUNE + 17)
    return TrainMacs(train=SCRATCH, total=SCRATCH, spent=SCRATCH + 3)


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(ARMS, budgets=(0.5, 0.25), seeds=3, trials=4)


@pytest.fixture(scope="module")
def records(plan: Plan) -> dict[str, Record]:
    """A sweep in which pruned networks inherit the dense network of their seed."""
    made = run(plan, noisy(dict.fromkeys(ARMS, 0.9)))
    dense = {r.seed: r.key for r in made.values() if r.phase == "dense"}

    def linked(r: Record) -> Record:
        start = {"dense": dense.get(r.seed, dense[0])} if r.arm == "pruned" else {}
        inputs = {**r.inputs, **start}
        return r.model_copy(update={"inputs": inputs, "train_macs": costs_of(r)})

    return {key: linked(r) for key, r in made.items()}


def points_of(plan: Plan, records: dict[str, Record]) -> dict[str, PointCost]:
    return {p.study: p for p in point_costs(Agenda(plan, Trials(records)))}


def test_a_network_alone_pays_for_all_that_it_stands_on(
    plan: Plan, records: dict[str, Record]
) -> None:
    points = points_of(plan, records)
    thin, pruned = points["thin@0.5 scratch_b"], points["pruned@0.5"]
    reinit = points["reinit@0.5 scratch_b"]
    assert (thin.own_macs, thin.dense_macs, thin.attributed_macs) == (SCRATCH, 0, SCRATCH)
    assert (pruned.own_macs, pruned.dense_macs) == (SCORE + TUNE, DENSE)
    assert pruned.attributed_macs == SCORE + TUNE + DENSE
    assert (reinit.shape_own_macs, reinit.shape_dense_macs) == (SCORE, DENSE)
    assert reinit.upstream_search_macs == pruned.search_macs == 4 * (TUNE + 17)
    assert thin.upstream_search_macs == 0
    assert pruned.search_attributed_macs == 4 * (SCORE + TUNE + DENSE)


def test_the_three_prices_of_the_dense_network(plan: Plan, records: dict[str, Record]) -> None:
    points = points_of(plan, records)
    pruned, reinit = points["pruned@0.5"], points["reinit@0.5 scratch_b"]
    assert pruned.price(0) == SCORE + TUNE
    assert pruned.price(1) == pruned.attributed_macs
    prices = [pruned.price(1 / k) for k in (1, 2, 5, 100)]
    assert prices == sorted(prices, reverse=True)
    assert pruned.price(1 / 4) == SCORE + TUNE + DENSE / 4
    assert reinit.price(1) == SCRATCH
    assert reinit.price(1, with_shape=True) == SCRATCH + SCORE + DENSE
    assert reinit.price(0, with_shape=True) == SCRATCH + SCORE
    assert PointCost(study="none").price(1) is None


@pytest.mark.parametrize("seed", range(5))
def test_every_mac_is_spent_once_whatever_happened_to_trials(
    plan: Plan, records: dict[str, Record], seed: int
) -> None:
    """Killed trials were charged again for what they lost; some trials have no record at all."""
    rng = random.Random(seed)
    ends = ("completed", "stopped", "failed", "diverged", "infeasible")
    hurt = {}
    for key, r in records.items():
        if rng.random() < 0.1:
            continue
        lost = rng.choice((0, 0, rng.randrange(10**6)))
        macs = r.train_macs.model_copy(update={"spent": r.train_macs.spent + lost})
        status = rng.choice(ends) if r.phase != "dense" else r.status
        test = r.test_acc1 if status == "completed" else None
        hurt[key] = r.model_copy(update={"train_macs": macs, "status": status, "test_acc1": test})
    points = point_costs(Agenda(plan, Trials(hurt)))
    book = ledger(hurt.values(), plan.arms(), points)
    spent = sum(r.train_macs.spent for r in hurt.values())
    assert book.spent_macs == spent
    assert sum(p.spent_macs for p in points) + book.by_phase["dense"] == spent
    assert all(p.search_macs + p.confirm_macs == p.spent_macs for p in points)
    searches = book.by_phase["search"] + book.by_phase["rescore"]
    assert sum(p.search_macs for p in points) == searches
    for arm in ARMS:
        of_arm = [p for p in points if p.study.startswith(f"{arm}@")]
        assert sum(p.spent_macs for p in of_arm) == book.by_arm[arm]
    assert book.heirs == sum(r.arm == "pruned" for r in hurt.values())
    assert book.dense_networks == sum(r.phase == "dense" for r in hurt.values())


def test_a_lent_recipe_is_paid_for_by_the_search_that_found_it() -> None:
    sweep = Sweep(crossed_plan(arms=("thin", "pruned", "crossed"), budgets=(0.5,))).run()
    costs = {cost.study: cost for cost in point_costs(sweep.agenda)}
    crossed = costs["crossed@0.5"]
    assert crossed.upstream_search_macs == costs["thin@0.5 scratch_b"].search_macs > 0
    assert crossed.search_macs == costs["pruned@0.5"].upstream_search_macs == 0
