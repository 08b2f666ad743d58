"""Intervals for new images against the two-way random effects model, by formula and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from prunetune.statistics.contrasts import paired, welch
from prunetune.statistics.images import image_variance, mean_on_new_images, on_new_images
from prunetune.statistics.intervals import mean_interval


def population_accuracy() -> float:
    rng = np.random.default_rng(0)
    logits = rng.normal(2.7, math.sqrt(1.5**2 + 0.04**2 + 0.7**2), 1_000_000)
    return float((1 / (1 + np.exp(-logits))).mean())


TRUTH = population_accuracy()


def scores(rng: np.random.Generator, n: int, images: int, ease: np.ndarray) -> np.ndarray:
    """Scores of networks with luck of their own on images of different ease, with interaction."""
    luck = rng.normal(0, 0.005, (n, 1))
    return 0.9 + luck + ease + rng.normal(0, 0.2, (n, images))


def test_without_differences_between_images_nothing_is_added() -> None:
    a = np.random.default_rng(0).normal(0.9, 0.01, (5, 1)) + np.zeros((5, 400))
    assert image_variance(a) == pytest.approx(0, abs=1e-18)
    plain, crossed = mean_interval(a.mean(1).tolist()), mean_on_new_images(a)
    assert (crossed.low, crossed.high) == pytest.approx((plain.low, plain.high))


def test_networks_that_agree_leave_the_error_of_the_images() -> None:
    hits = np.tile(np.random.default_rng(1).random(10_000) < 0.935, (5, 1))
    found = mean_on_new_images(hits)
    p = hits[0].mean()
    assert found.high - found.mean == pytest.approx(1.96 * math.sqrt(p * (1 - p) / 1e4), rel=1e-3)


def test_the_parts_are_those_of_the_analysis_of_variance() -> None:
    rng = np.random.default_rng(2)
    n, m = 4, 60
    x = scores(rng, n, m, rng.normal(0, 0.3, m))
    total, rows, columns = x.mean(), x.mean(1), x.mean(0)
    between_images = n * ((columns - total) ** 2).sum() / (m - 1)
    rest = ((x - rows[:, None] - columns + total) ** 2).sum() / ((n - 1) * (m - 1))
    within = x.var(0, ddof=1).mean()  # networks and interaction together
    assert image_variance(x) == pytest.approx((between_images - within) / n / m)
    assert within >= rest * (n - 1) / n


@pytest.mark.parametrize("pairs", [False, True])
def test_a_contrast_grows_by_the_images_share(pairs: bool) -> None:
    rng = np.random.default_rng(3)
    a, b = (scores(rng, 5, 300, rng.normal(0, 0.3, 300)) for _ in range(2))
    contrast = (paired if pairs else welch)(a.mean(1).tolist(), b.mean(1).tolist())
    assert contrast is not None
    variance = image_variance(a, b, pairs=pairs)
    wider = on_new_images(contrast, variance, 300)
    assert wider.error == pytest.approx(math.hypot(contrast.error, math.sqrt(variance)))
    assert wider.difference == contrast.difference
    assert contrast.df < wider.df < contrast.df + 299
    same = on_new_images(contrast, 0.0, 300)
    assert (same.error, same.df) == pytest.approx((contrast.error, contrast.df))


@pytest.mark.slow
@pytest.mark.parametrize("n", [3, 5, 10])
def test_new_images_are_covered(n: int) -> None:
    """Hits of two arms with accuracy 93 %, seed spread .2 points, on 1,000 images."""
    rng, images, sweeps = np.random.default_rng(n), 1_000, 1_000
    covered = [0, 0, 0]
    for _ in range(sweeps):
        ease = rng.normal(2.7, 1.5, images)  # in logits, shared by the arms
        a, b = (
            rng.random((n, images))
            < 1 / (1 + np.exp(-(ease + rng.normal(0, 0.04, (n, 1)) + rng.normal(0, 0.7, images))))
            for _ in range(2)
        )
        one, seeds = mean_on_new_images(a), mean_interval(a.mean(1).tolist())
        contrast = welch(a.mean(1).tolist(), b.mean(1).tolist())
        assert contrast is not None
        both = on_new_images(contrast, image_variance(a, b), images)
        covered[0] += one.low < TRUTH < one.high
        covered[1] += abs(both.difference) < both.half_width(0.05)
        covered[2] += seeds.low < TRUTH < seeds.high
    assert 0.93 <= covered[0] / sweeps <= 0.97
    assert 0.93 <= covered[1] / sweeps <= 0.97
    missed = (covered[0] - covered[2]) / sweeps  # by the interval over seeds
    assert missed > {3: 0.02, 5: 0.05, 10: 0.15}[n]
