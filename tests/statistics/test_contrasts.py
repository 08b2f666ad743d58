"""Welch's and paired differences against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from prunetune.statistics.contrasts import paired, welch
from prunetune.statistics.moments import paired_moments, welch_moments

accuracies = st.lists(st.integers(0, 10_000).map(lambda i: i / 10_000), min_size=2, max_size=12)


def test_below_two_values_there_is_no_contrast() -> None:
    assert welch([0.9], [0.8, 0.7]) is None
    assert paired([0.9], [0.8]) is None


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


def test_many_contrasts_at_once_are_single_contrasts() -> None:
    a, b = np.random.default_rng(2).normal(0.9, 0.01, (2, 3, 5))
    for many, one in ((welch_moments(a, b), welch), (paired_moments(a - b), paired)):
        for i, p in enumerate(many.p()):
            contrast = one(a[i].tolist(), b[i].tolist())
            assert contrast is not None
            assert [float(x[i]) for x in many] == pytest.approx(
                [contrast.difference, contrast.error, contrast.df]
            )
            assert p == pytest.approx(contrast.p)
            assert many.half_width(0.01)[i] == pytest.approx(contrast.half_width(0.01))


@pytest.mark.parametrize("n", [5, 10])
@pytest.mark.parametrize("ratio", [1.0, 2.0])
def test_intervals_of_differences_cover_them_in_95_per_cent(n: int, ratio: float) -> None:
    a, b = np.random.default_rng(n).normal(0, 1, (2, 40_000, n))
    found = welch_moments(a * ratio, b)
    covered = np.abs(found.difference) < found.half_width(0.05)
    assert covered.mean() == pytest.approx(0.95, abs=0.01)
