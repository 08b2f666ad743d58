"""The statistics against closed forms, scipy and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from prunetune.analysis.statistics import (
    ALPHA,
    binomial_half_width,
    holm,
    mean_interval,
    paired,
    t_quantile,
    welch,
)
from prunetune.analysis.verdicts.comparisons import Pair, decide

accuracies = st.lists(st.integers(0, 10_000).map(lambda i: i / 10_000), min_size=2, max_size=12)


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
    assert welch([0.9], [0.8, 0.7]) is None
    assert paired([0.9], [0.8]) is None


def test_agreeing_seeds_do_not_prove_certainty() -> None:
    estimate = mean_interval([0.9] * 5, grain=1 / 360)
    half = t_quantile(0.975, 4) * (1 / 360) / math.sqrt(12 * 5)
    assert (estimate.low, estimate.high) == pytest.approx((0.9 - half, 0.9 + half))


@given(accuracies, accuracies)
def test_welch_is_scipys(a: list[float], b: list[float]) -> None:
    contrast = welch(a, b)
    if contrast is None:
        assert np.ptp(a) == np.ptp(b) == 0  # np.std of equal numbers is 4e-19 at times
        return
    expected = stats.ttest_ind(a, b, equal_var=False)
    assert contrast.df == pytest.approx(expected.df)
    assert contrast.p == pytest.approx(expected.pvalue, abs=1e-9)
    interval = expected.confidence_interval(0.99)
    half = contrast.half_width(0.01)
    ends = (contrast.difference - half, contrast.difference + half)
    assert ends == pytest.approx((interval.low, interval.high), abs=1e-9)


def test_paired_is_scipys_and_sees_what_welch_cannot() -> None:
    rng = np.random.default_rng(0)
    block = rng.normal(0.9, 0.02, 6)
    a, b = (block + 0.003 + rng.normal(0, 0.001, 6)).tolist(), block.tolist()
    contrast, unpaired = paired(a, b), welch(a, b)
    assert contrast is not None
    assert unpaired is not None
    assert contrast.p == pytest.approx(stats.ttest_rel(a, b).pvalue)
    assert contrast.p < 0.01 < 0.5 < unpaired.p


@pytest.mark.parametrize("gap", [0.0, 0.002, 0.003])
def test_equivalence_is_two_one_sided_tests(gap: float) -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(0.9 + gap, 0.0006, 8), rng.normal(0.9, 0.0006, 8)
    below = stats.ttest_ind(a, b - 0.002, equal_var=False, alternative="greater").pvalue
    above = stats.ttest_ind(a, b + 0.002, equal_var=False, alternative="less").pvalue
    measured = welch(a.tolist(), b.tolist())
    assert measured is not None
    verdict = decide(Pair(a="a", b="b"), measured, measured.p, family=3, margin=0.002).verdict
    assert (verdict == "equivalent") == (max(below, above) < ALPHA / (2 * 3))
    assert (verdict == "equivalent") == (gap == 0.0)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_the_stepwise_procedure(ps: list[float]) -> None:
    corrected, remaining = holm(ps), len(ps)
    rejected = set()
    for index in sorted(range(len(ps)), key=lambda i: ps[i]):
        if ps[index] * remaining > 0.05:
            break
        rejected.add(index)
        remaining -= 1
    assert {i for i, p in enumerate(corrected) if p <= 0.05} == rejected
    assert all(c >= p for c, p in zip(corrected, ps, strict=True))


def test_binomial_noise_of_a_known_test_set() -> None:
    assert binomial_half_width(0.935, 10_000) == pytest.approx(0.0048, abs=5e-5)
    assert binomial_half_width(0.76, 10_000) == pytest.approx(0.0084, abs=5e-5)
