"""Equivalence against scipy's one-sided tests and by simulation of its error."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

from prunetune.statistics.contrasts import Contrast, welch
from prunetune.statistics.equivalence import equivalence_p, equivalence_reach
from prunetune.statistics.moments import welch_moments


@pytest.mark.parametrize("gap", [0.0, 0.002, -0.003])
@pytest.mark.parametrize("level", [0.05, 0.05 / 9])
def test_two_one_sided_tests(gap: float, level: float) -> None:
    a, b = np.random.default_rng(1).normal(0.9, 0.0009, (2, 8))
    a = a + gap
    below = stats.ttest_ind(a, b - 0.002, equal_var=False, alternative="greater").pvalue
    above = stats.ttest_ind(a, b + 0.002, equal_var=False, alternative="less").pvalue
    contrast = welch(a.tolist(), b.tolist())
    assert contrast is not None
    p, reach = equivalence_p(contrast, 0.002), equivalence_reach(contrast, level)
    assert p == pytest.approx(max(below, above))
    assert (p <= level) == (reach <= 0.002)
    interval = stats.ttest_ind(a, b, equal_var=False).confidence_interval(1 - 2 * level)
    assert reach == pytest.approx(max(-interval.low, interval.high))


def test_the_margin_that_is_reached_has_exactly_the_level() -> None:
    contrast = Contrast(difference=-0.001, error=0.0004, df=6.3, n=5, paired=False)
    assert equivalence_p(contrast, equivalence_reach(contrast, 0.01)) == pytest.approx(0.01)
    assert equivalence_p(contrast, 0.0) == 1.0


@pytest.mark.parametrize("n", [5, 20])
def test_arms_that_differ_by_the_margin_are_called_equivalent_in_five_per_cent(n: int) -> None:
    margin, sweeps = 2.0, 20_000
    a, b = np.random.default_rng(n).normal(0, 1, (2, sweeps, n))
    found = welch_moments(a + margin, b)
    ps = special.stdtr(found.df, (abs(found.difference) - margin) / found.error)
    assert (ps <= 0.05).mean() == pytest.approx(0.05, abs=0.006)
