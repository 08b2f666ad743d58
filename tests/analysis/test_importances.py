"""Importances: rank measures against SciPy, brute force and known orders."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr

from prunetune.analysis.evidence.importances import (
    FEWEST_TRIALS,
    average_ranks,
    importances,
    variance_share,
)
from tests.analysis.sweeps import make_plan, noisy, run

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("values", [RNG.normal(size=9), RNG.integers(0, 4, 30), [1.0], [2.0, 2.0]])
def test_ranks_are_those_of_scipy(values: list[float]) -> None:
    assert average_ranks(values) == pytest.approx(rankdata(values))


def test_the_variance_share_splits_the_sum_of_squares() -> None:
    options = list("aabbbcca")
    values = RNG.normal(size=8)
    within = sum(
        sum((v - np.mean(group)) ** 2 for v in group)
        for group in ([v for o, v in zip(options, values, strict=True) if o == x] for x in "abc")
    )
    total = ((values - values.mean()) ** 2).sum()
    assert variance_share(options, values) == pytest.approx(1 - within / total)


def test_a_value_that_orders_every_study_has_correlation_one() -> None:
    """The records' learning rates rise with the number, and so does their accuracy."""
    plan = make_plan({"thin": "width_scaling"}, (0.5, 0.25), trials=6)
    found = importances(plan, run(plan, noisy({"thin": 0.93})))
    assert {i.path for i in found} == {"recipe.optimizer.sgd.lr", "recipe.weight_decay"}
    for importance in found:
        assert importance.value == pytest.approx(1.0)
        assert importance.n == 12


def test_one_study_gives_spearman_s_correlation() -> None:
    plan = make_plan({"thin": "width_scaling"}, (0.5,), trials=12)
    order = iter(RNG.permutation(12) / 20)
    records = {
        key: r.model_copy(update={"val_acc1": 0.3 + next(order)}) if r.phase == "search" else r
        for key, r in run(plan, noisy({"thin": 0.93})).items()
    }
    searches = [r for r in records.values() if r.phase == "search"]
    rates = [r.config["recipe.optimizer.sgd.lr"] for r in searches]
    expected = spearmanr(rates, [r.val_acc1 for r in searches]).statistic
    (lr, _) = importances(plan, records)
    assert lr.value == pytest.approx(expected)
    assert lr.low is not None
    assert lr.high is not None
    assert -1 <= lr.low < lr.value < lr.high <= 1


def test_few_trials_give_no_measure() -> None:
    plan = make_plan({"thin": "width_scaling"}, (0.5,), trials=FEWEST_TRIALS - 1)
    assert importances(plan, run(plan, noisy({"thin": 0.93}))) == ()
