"""The quick start is short, and its design is one whose answer may be worded as of arms."""

from __future__ import annotations

from prunetune.agenda import counts
from prunetune.plan import Plan
from prunetune.statistics.frontier import LEAST_BUDGETS
from prunetune.sweep import plan_sweep

OF_ARMS = 3
"""Words about arms need so many dense networks."""


def quickstart() -> Plan:
    return plan_sweep("quickstart")


def test_its_frontiers_are_judged_with_dense_networks_of_their_own() -> None:
    plan = quickstart()
    assert len(plan.budgets()) >= LEAST_BUDGETS
    assert plan.registration is not None
    assert {pair.a for pair in plan.registration.frontiers} | {
        pair.b for pair in plan.registration.frontiers
    } == set(plan.arms())
    assert plan.dense_fresh
    assert plan.confirm.seeds >= OF_ARMS


def test_every_arm_trains_for_the_same_epochs_and_reaches_every_budget() -> None:
    plan = quickstart()
    assert {study.epochs for study in plan.studies} == {plan.studies[0].epochs}
    assert [*plan.feasible()] == [*plan.studies]


def test_its_training_fits_into_two_to_three_minutes_of_two_cores() -> None:
    """150 trials of short training at most: what a trial costs beside training counts as well."""
    assert counts(quickstart()).total.total <= 150
    assert counts(quickstart()).total.train_macs < 1e12
