"""A prediction interval holds one more value as often as it says."""

from __future__ import annotations

import numpy as np

from prunetune.statistics.intervals import prediction_interval, spread_interval

RUNS = 2_000


def test_one_more_value_lies_within_as_often_as_promised() -> None:
    rng = np.random.default_rng(0)
    draws = rng.normal(0.9, 0.01, (RUNS, 4))
    inside = [low <= x[-1] <= high for x in draws for low, high in [prediction_interval(x[:-1])]]
    assert 0.935 < np.mean(inside) < 0.965


def test_the_spread_of_other_groups_serves_a_value_without_seeds() -> None:
    rng = np.random.default_rng(1)
    inside = []
    for _ in range(RUNS):
        first, again = rng.normal(0.9, 0.01, 2)
        groups = [rng.normal(rng.uniform(), 0.01, n) for n in (2, 3, 3)]
        low, high = spread_interval(first, [list(group) for group in groups])
        inside.append(low <= again <= high)
    assert 0.935 < np.mean(inside) < 0.965


def test_equal_values_do_not_prove_that_there_is_no_spread() -> None:
    low, high = prediction_interval([0.5, 0.5, 0.5], grain=0.01)
    assert low < 0.5 - 0.01 < 0.5 + 0.01 < high
