"""The expected best against enumeration of all subsets, and its freedom from bias."""

from __future__ import annotations

from itertools import combinations, pairwise
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prunetune.statistics.effort import best_so_far, expected_best, still_rising

values = st.lists(st.floats(0, 1), min_size=1, max_size=9)


@given(values)
def test_expected_best_is_the_mean_over_all_subsets(accuracies: list[float]) -> None:
    curve = expected_best(accuracies)
    for n, best in enumerate(curve, 1):
        assert best == pytest.approx(fmean(max(s) for s in combinations(accuracies, n)), abs=1e-9)
    assert curve[0] == pytest.approx(fmean(accuracies))
    assert curve[-1] == max(accuracies)


@given(values)
def test_expected_best_rises_and_does_not_know_the_order(accuracies: list[float]) -> None:
    curve = expected_best(accuracies)
    assert all(a <= b + 1e-12 for a, b in pairwise(curve))
    assert expected_best(accuracies[::-1]) == curve
    assert best_so_far(accuracies)[-1] == curve[-1]


def test_expected_best_is_unbiased() -> None:
    """Best of n of N standard normal values; the form with replacement says 1.54 at n = N = 16."""
    draws = np.random.default_rng(0).normal(size=(3_000, 16)).tolist()
    for n, truth in ((4, 1.029), (8, 1.424), (16, 1.766)):
        curves = [expected_best(row)[n - 1] for row in draws]
        assert fmean(curves) == pytest.approx(truth, abs=0.04)


def test_best_so_far_follows_the_order() -> None:
    assert best_so_far([0.5, 0.4, 0.7, 0.6]) == [0.5, 0.5, 0.7, 0.7]
    assert best_so_far([]) == []


@pytest.mark.parametrize(
    ("best", "rising"),
    [
        ([0.8, 0.9, 0.9, 0.9, 0.9, 0.9], False),
        ([0.8, 0.9, 0.9, 0.9, 0.9009, 0.9009], False),
        ([0.8, 0.9, 0.9, 0.9, 0.9, 0.9011], True),
        ([0.8, 0.9], False),
        ([0.7, 0.8, 0.9], True),
    ],
)
def test_rising_late_looks_at_the_last_third(best: list[float], rising: bool) -> None:
    assert still_rising(best, 0.002) is rising
