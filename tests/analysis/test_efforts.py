"""Curves of search effort: against all subsets of the trials, and in the order of the trials."""

from __future__ import annotations

from itertools import combinations
from statistics import fmean

import pytest

from prunetune.agenda import Agenda, Trials
from prunetune.analysis.evidence.efforts import (
    BAND,
    EffortCurve,
    effort_curves,
    quantile_of_best,
    worth,
)
from prunetune.config.parts import Named
from prunetune.plan import Plan
from prunetune.records.record import Epoch, Record, TrainMacs
from tests.analysis.sweeps import make_plan, noisy, record, run

VALUES = (0.5, 0.8, 0.2, 0.9, 0.6, 0.7)


def curve_of(sampler: str, first: int = 0, values: tuple[float, ...] = VALUES) -> EffortCurve:
    """The curve of a study with these validation accuracies; trial i costs i + 1 MACs."""
    plan = make_plan({"thin": "width_scaling"}, (0.5,), trials=len(values), seeds=2)
    given = ({"recipe.weight_decay": 0.1},) * first
    study = plan.studies[0].model_copy(update={"first": given})
    plan = plan.model_copy(update={"sampler": Named(name=sampler), "studies": (study,)})
    records = {}
    for key, r in run(plan, noisy({"thin": 0.9})).items():
        if r.phase == "search":
            n = r.number or 0
            update = {"val_acc1": values[n], "train_macs": TrainMacs(spent=n + 1)}
            r = r.model_copy(update=update)
        records[key] = r
    (curve,) = effort_curves(Agenda(plan, Trials(records)))
    return curve


def subsets_of(n: int, given: int = 0) -> list[float]:
    """The best of every set of n trials that begins with the given ones."""
    if n <= given:
        return [max(VALUES[:n])]
    return [max((*VALUES[:given], *s)) for s in combinations(VALUES[given:], n - given)]


@pytest.mark.parametrize("given", [0, 1, 2])
def test_the_expected_best_is_the_mean_over_all_subsets(given: int) -> None:
    curve = curve_of("random", given)
    assert curve.kind == "expected best"
    assert curve.best == pytest.approx([fmean(subsets_of(n + 1, given)) for n in range(6)])
    assert len(curve.low) == len(curve.high) == max(given, 3)
    banded = list(zip(curve.low, curve.best, curve.high, strict=False))
    assert all(low <= best <= high for low, best, high in banded)
    assert curve.macs[-1] == sum(range(1, 7))
    assert list(curve.macs) == sorted(curve.macs)


@pytest.mark.parametrize("n", range(1, 7))
@pytest.mark.parametrize("q", [*BAND, 0.5, 1.0])
def test_the_band_is_a_quantile_over_all_subsets(n: int, q: float) -> None:
    best = sorted(subsets_of(n))
    expected = next(v for i, v in enumerate(best, 1) if i >= q * len(best))
    assert quantile_of_best(VALUES, n, q) == expected


@pytest.mark.parametrize("sampler", ["tpe", "gp", "grid"])
def test_a_sampler_that_learns_shows_the_best_so_far(sampler: str) -> None:
    curve = curve_of(sampler)
    assert curve.kind == "best so far"
    assert curve.best == (0.5, 0.8, 0.8, 0.9, 0.9, 0.9)
    assert curve.macs == (1, 3, 6, 10, 15, 21)
    assert curve.low == curve.high == ()


def test_a_search_rises_if_its_last_third_gains() -> None:
    assert not curve_of("tpe").still_rising
    assert curve_of("tpe", values=(0.5, 0.6, 0.6, 0.6, 0.6, 0.7)).still_rising


def trial(**fields: object) -> Record:
    plan: Plan = make_plan({"thin": "width_scaling"}, (0.5,))
    return record(plan, "search", plan.studies[0], 0, number=0, **fields)


def test_a_trial_enters_with_what_it_is_worth() -> None:
    accuracies = (0.1, 0.2, 0.7)
    curve = tuple(
        Epoch(epoch=i, train_loss=1, val_loss=1, val_acc1=a, lr=0.1, seconds=1)
        for i, a in enumerate(accuracies, 1)
    )
    assert worth(trial(val_acc1=0.7, curve=curve)) == 0.7
    assert worth(trial(val_acc1=0.7, curve=curve, would_stop_at=2)) == 0.2
    assert worth(trial(val_acc1=0.2, curve=curve[:2], status="stopped")) == 0.2
    assert worth(trial(val_acc1=0.2, status="diverged")) == 0
    assert worth(trial(val_acc1=None, status="failed")) == 0
