"""Area and tilt against ordinary least squares, closed forms and simulation."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from scipy import special, stats

from prunetune.statistics.frontier import (
    fixed_frontier,
    frontier_moments,
    frontier_weights,
    searched_frontier,
)

LOG_MACS = np.log([0.5, 0.39, 0.25, 0.125, 0.06])


def curves(seed: int, replicates: int = 2, n: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return tuple(0.9 + rng.normal(0, 0.003, (2, replicates, n, len(LOG_MACS))))


@pytest.mark.parametrize("replicates", [1, 2, 3])
def test_estimates_and_residual_error_are_those_of_least_squares(replicates: int) -> None:
    a, b = curves(0, replicates)
    difference = (a.mean(1) - b.mean(1)).ravel()
    z = np.tile(LOG_MACS - LOG_MACS.mean(), replicates)
    design = np.column_stack([np.ones_like(z), z])
    (level, slope), (squares,), *_ = np.linalg.lstsq(design, difference)
    covariance = squares / (len(z) - 2) * np.linalg.inv(design.T @ design)
    # Without any spread over seeds only the error of the line remains.
    flat_a, flat_b = (np.broadcast_to(x.mean(1, keepdims=True), x.shape) for x in (a, b))
    for first, second in ((a, b), (flat_a, flat_b)):
        found = searched_frontier(first, second, LOG_MACS)
        assert found.area.difference == pytest.approx(level)
        assert found.tilt.difference == pytest.approx(slope)
    assert found.area.error == pytest.approx(math.sqrt(covariance[0, 0]))
    assert found.tilt.error == pytest.approx(math.sqrt(covariance[1, 1]))
    assert found.area.df == pytest.approx(len(z) - 2)


def test_what_budgets_share_is_the_error_where_the_line_fits() -> None:
    rng = np.random.default_rng(1)
    a, b = (0.9 + rng.normal(0, 0.003, (1, 6, 1)) + 0 * LOG_MACS for _ in range(2))
    found = searched_frontier(a, b, LOG_MACS)
    expected = stats.ttest_ind(a[0, :, 0], b[0, :, 0])
    assert found.area.error == pytest.approx(
        math.sqrt((a[0, :, 0].var(ddof=1) + b[0, :, 0].var(ddof=1)) / 6)
    )
    cap = (1 + 8 / 6) * 3
    assert found.area.df == pytest.approx(min(expected.df, cap))
    assert found.area.p == pytest.approx(2 * special.stdtr(cap, -abs(expected.statistic)))


def test_area_and_tilt_are_weighted_sums_of_the_differences() -> None:
    a, b = (np.random.default_rng(i).normal(size=(1, 3, 5)) for i in (0, 1))
    log_macs = np.log([1.0, 2.0, 5.0, 7.0, 20.0])
    found = searched_frontier(a, b, log_macs)
    assert found is not None
    level, slope = frontier_weights(log_macs)
    difference = (a - b).mean((0, 1))
    assert found.area.difference == pytest.approx(level @ difference)
    assert found.tilt.difference == pytest.approx(slope @ difference)


def test_a_shift_moves_the_area_and_a_lean_moves_the_tilt() -> None:
    a, b = curves(2)
    before = searched_frontier(a, b, LOG_MACS)
    shifted = searched_frontier(a + 0.01, b, LOG_MACS)
    leaning = searched_frontier(a + 0.002 * (LOG_MACS - LOG_MACS.mean()), b, LOG_MACS)
    assert shifted.area.difference == pytest.approx(before.area.difference + 0.01)
    assert shifted.tilt.difference == pytest.approx(before.tilt.difference)
    assert shifted.tilt.error == pytest.approx(before.tilt.error)
    assert leaning.tilt.difference == pytest.approx(before.tilt.difference + 0.002)
    assert leaning.area.difference == pytest.approx(before.area.difference)
    assert leaning.area.error == pytest.approx(before.area.error)
    swapped = searched_frontier(b, a, LOG_MACS)
    assert swapped.area.difference == pytest.approx(-before.area.difference)
    assert (swapped.area.error, swapped.area.df) == (before.area.error, before.area.df)


def test_the_lines_cross_where_the_fit_is_zero() -> None:
    b = curves(3)[1]
    a = b + 0.01 * (LOG_MACS - math.log(0.21))
    found = searched_frontier(a, b, LOG_MACS)
    crossing = found.crossing(LOG_MACS)
    assert math.exp(crossing) == pytest.approx(0.21)
    assert found.at(crossing) == pytest.approx(0.0, abs=1e-12)
    assert found.at(LOG_MACS[0]) == pytest.approx(0.01 * math.log(0.5 / 0.21))
    assert searched_frontier(a + 0.5, b, LOG_MACS).crossing(LOG_MACS) is None


def test_a_missing_seed_leaves_the_rest_and_an_empty_budget_leaves_nothing() -> None:
    a, b = curves(4, replicates=1)
    holed = a.copy()
    holed[0, 3, 2] = np.nan
    found = searched_frontier(holed, b, LOG_MACS)
    means = a[0].mean(0)
    means[2] = a[0, :3, 2].mean()
    assert found.area.difference == pytest.approx((means - b[0].mean(0)).mean())
    spread = [x[0, :n].mean(1).var(ddof=1) / n for x, n in ((a, 3), (b, 4))]
    residual = found.area.error**2 - sum(spread)
    assert residual > 0
    assert searched_frontier(a[:, :3], b, LOG_MACS) is not None
    holed[0, :, 2] = np.nan
    assert searched_frontier(holed, b, LOG_MACS) is None


def test_too_little_gives_nothing() -> None:
    a, b = curves(5, replicates=1)
    assert searched_frontier(a[:, :1], b[:, :1], LOG_MACS) is None
    assert searched_frontier(a[..., :2], b[..., :2], LOG_MACS[:2]) is None
    assert searched_frontier(a, b, np.zeros(5)) is None
    assert searched_frontier(a * 0, b * 0, LOG_MACS) is None
    assert fixed_frontier(a[0, :1], b[0], LOG_MACS) is None


def test_agreeing_seeds_do_not_prove_certainty() -> None:
    a, b = curves(6, replicates=1)
    grain = 1 / 100
    found = searched_frontier(a * 0 + 0.9, b * 0 + 0.89, LOG_MACS, grain)
    one = grain**2 / 12
    assert found.area.error == pytest.approx(math.sqrt(2 * (2 * one / 4 / 5)))
    assert fixed_frontier(a[0] * 0, b[0] * 0, LOG_MACS, grain).area.error > 0


@pytest.mark.parametrize("pairs", [False, True])
def test_fixed_recipes_compare_the_areas_and_slopes_of_whole_curves(pairs: bool) -> None:
    (a,), (b,) = curves(7, replicates=1)
    found = fixed_frontier(a, b, LOG_MACS, pairs=pairs)
    test = stats.ttest_rel if pairs else lambda x, y: stats.ttest_ind(x, y, equal_var=False)
    slopes = [[np.polyfit(LOG_MACS, curve, 1)[0] for curve in arm] for arm in (a, b)]
    assert found.area.p == pytest.approx(test(a.mean(1), b.mean(1)).pvalue)
    assert found.tilt.p == pytest.approx(test(*slopes).pvalue)
    assert found.tilt.difference == pytest.approx(np.mean(slopes[0]) - np.mean(slopes[1]))


def test_many_sweeps_at_once_are_single_sweeps() -> None:
    a, b = (np.stack(x) for x in zip(*(curves(s) for s in range(3)), strict=True))
    many = frontier_moments(a.mean(-2) - b.mean(-2), a, b, LOG_MACS)
    for i in range(3):
        one = searched_frontier(a[i], b[i], LOG_MACS)
        for name, moments in zip(("area", "tilt"), many, strict=True):
            contrast = getattr(one, name)
            values = [float(x[i]) for x in moments]
            assert values == pytest.approx([contrast.difference, contrast.error, contrast.df])


@pytest.mark.parametrize(
    ("replicates", "budgets", "n"),
    [(1, 4, 3), (1, 4, 5), (1, 4, 10), (1, 5, 5), (1, 5, 20), (1, 8, 5), (2, 3, 3), (3, 5, 3)],
)
@pytest.mark.parametrize("dense", [0.0, 0.3])
def test_search_luck_does_not_make_winners(
    replicates: int, budgets: int, n: int, dense: float
) -> None:
    """Three equal arms, area and tilt of each pair: search sd .185, seed sd .2, in points."""
    rng, sweeps = np.random.default_rng(8), 4_000
    log_macs = np.log(np.geomspace(0.5, 0.06, budgets))
    arms = [
        rng.normal(0, 0.185, (sweeps, replicates, 1, budgets))
        + rng.normal(0, 0.2, (sweeps, replicates, n, budgets))
        + rng.normal(0, dense, (sweeps, replicates, n, 1))
        for _ in range(3)
    ]
    ps = [
        contrast.p()
        for a, b in combinations(arms, 2)
        for contrast in frontier_moments(a.mean(-2) - b.mean(-2), a, b, log_macs)
    ]
    assert len(ps) == 6
    assert (np.min(ps, axis=0) <= 0.05 / 6).mean() <= 0.06
    assert 0.01 < (ps[0] <= 0.05).mean() < 0.06
