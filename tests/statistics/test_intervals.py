"""Intervals of one mean against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from prunetune.statistics.intervals import binomial_half_width, mean_interval, t_quantile


@pytest.mark.parametrize(
    ("n", "t"), [(2, 12.7062), (3, 4.30265), (4, 3.18245), (5, 2.77645), (10, 2.26216)]
)
def test_interval_is_the_textbook_one(n: int, t: float) -> None:
    values = np.random.default_rng(n).normal(0.9, 0.01, n).tolist()
    estimate = mean_interval(values)
    half = t * np.std(values, ddof=1) / math.sqrt(n)
    assert (estimate.low, estimate.high) == pytest.approx(
        (np.mean(values) - half, np.mean(values) + half)
    )


def test_below_two_values_there_is_no_interval() -> None:
    assert mean_interval([]).model_dump() == {"mean": None, "low": None, "high": None, "n": 0}
    assert mean_interval([0.9]).model_dump() == {"mean": 0.9, "low": None, "high": None, "n": 1}


def test_agreeing_seeds_do_not_prove_certainty() -> None:
    estimate = mean_interval([0.9] * 5, grain=1 / 360)
    half = t_quantile(0.975, 4) * (1 / 360) / math.sqrt(12 * 5)
    assert (estimate.low, estimate.high) == pytest.approx((0.9 - half, 0.9 + half))


def test_binomial_noise_of_a_known_test_set() -> None:
    assert binomial_half_width(0.935, 10_000) == pytest.approx(0.0048, abs=5e-5)
    assert binomial_half_width(0.76, 10_000) == pytest.approx(0.0084, abs=5e-5)


@pytest.mark.parametrize("n", [3, 5, 10])
def test_intervals_of_normal_seeds_cover_the_mean_in_95_per_cent(n: int) -> None:
    sweeps = 4_000
    values = np.random.default_rng(n).normal(0.9, 0.002, (sweeps, n)).tolist()
    covered = sum(e.low < 0.9 < e.high for e in map(mean_interval, values))
    assert covered / sweeps == pytest.approx(0.95, abs=0.01)
