"""Correlations agree with scipy's, ties included."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from prunetune.statistics.correlation import pearson, spearman


@pytest.mark.parametrize("seed", range(5))
def test_both_agree_with_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 6, 20).tolist()
    y = (np.array(x) + rng.normal(0, 2, 20)).round().tolist()
    assert pearson(x, y) == pytest.approx(stats.pearsonr(x, y).statistic)
    assert spearman(x, y) == pytest.approx(stats.spearmanr(x, y).statistic)


@pytest.mark.parametrize(("x", "y"), [([1, 2], [3, 4]), ([1, 1, 1], [1, 2, 3])])
def test_too_little_says_nothing(x: list[float], y: list[float]) -> None:
    assert pearson(x, y) is None
    assert spearman(x, y) is None
