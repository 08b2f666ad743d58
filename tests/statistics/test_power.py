"""The detectable difference against simulation and the closed form of large samples."""

import numpy as np
import pytest
from scipy.stats import norm, ttest_ind

from prunetune.statistics.power import ALPHA, POWER, detectable


@pytest.mark.parametrize(("n", "comparisons"), [(3, 1), (5, 1), (5, 4)])
def test_a_simulated_test_detects_the_difference_with_the_stated_power(n: int, comparisons: int):
    effect = detectable(n, comparisons, spread=1.0)
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 20_000, n))
    detected = ttest_ind(a + effect, b, axis=1).pvalue < ALPHA / comparisons
    assert detected.mean() == pytest.approx(POWER, abs=0.012)


def test_many_seeds_approach_the_normal_formula():
    n = 5_000
    normal = (norm.ppf(1 - ALPHA / 2) + norm.ppf(POWER)) * (2 / n) ** 0.5
    assert detectable(n, 1, spread=1.0) == pytest.approx(normal, rel=1e-3)


def test_more_seeds_detect_less_and_more_comparisons_need_more():
    assert detectable(3, 1) > detectable(5, 1) > detectable(10, 1)
    assert detectable(5, 1) < detectable(5, 4) < detectable(5, 15)
    assert detectable(1, 1) is None
