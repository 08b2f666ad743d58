"""The break-even factor where it is known, its interval against a search over lengths and truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize, stats

from prunetune.statistics.breakeven import break_even

LENGTHS = (1e12, 3e12, 9e12)


def accuracies(rng: np.random.Generator, n: int, spread: float) -> dict[float, list[float]]:
    """0.90 at 1e12 MACs and one point more for each threefold length."""
    gain = 0.01 / math.log(3)
    return {
        macs: (0.90 + gain * math.log(macs / 1e12) + rng.normal(0, spread, n)).tolist()
        for macs in LENGTHS
    }


@pytest.mark.parametrize(
    ("pruned", "factor", "extrapolated"),
    [(0.91, 0.5, False), (0.915, 3**0.5 / 2, False), (0.93, 4.5, True)],
)
def test_without_noise_the_factor_is_exact(
    pruned: float, factor: float, extrapolated: bool
) -> None:
    found = break_even(accuracies(np.random.default_rng(0), 3, 0.0), [pruned] * 3, 6e12)
    assert found is not None
    assert found.factor == pytest.approx(factor)
    assert (found.low, found.high) == pytest.approx((factor, factor), rel=1e-3)
    assert found.extrapolated is extrapolated


def test_the_interval_ends_where_the_difference_stops_to_be_significant() -> None:
    scratch = accuracies(np.random.default_rng(1), 4, 0.002)
    pruned = [0.911, 0.913, 0.9105, 0.914]
    found = break_even(scratch, pruned, 1e12)
    x = np.repeat(np.log(LENGTHS), 4)
    y = np.concatenate([scratch[macs] for macs in LENGTHS])
    design = np.column_stack([np.ones_like(x), x])
    beta, (squares,), *_ = np.linalg.lstsq(design, y)
    covariance = squares / (len(x) - 2) * np.linalg.inv(design.T @ design)
    level, seeds = squares / (len(x) - 2) / len(x), np.var(pruned, ddof=1) / 4
    df = (level + seeds) ** 2 / (level**2 / (len(x) - 2) + seeds**2 / 3)

    def excess(log_macs: float) -> float:
        at = np.array([1, log_macs])
        error = math.sqrt(at @ covariance @ at + seeds)
        return abs(np.mean(pruned) - at @ beta) / error - stats.t.ppf(0.975, df)

    best = math.log(found.factor * 1e12)
    low, high = (optimize.brentq(excess, best, best + step) for step in (-3, 3))
    expected = (math.exp(low) / 1e12, math.exp(high) / 1e12)
    assert (found.low, found.high) == pytest.approx(expected, rel=1e-6)


def test_intervals_hold_the_true_factor() -> None:
    rng, sweeps, covered = np.random.default_rng(2), 1_000, 0
    for _ in range(sweeps):
        found = break_even(
            accuracies(rng, 4, 0.002), (0.915 + rng.normal(0, 0.002, 4)).tolist(), 1e12
        )
        assert found is not None
        covered += found.low is None or found.low < 3**1.5 < found.high
    assert covered / sweeps == pytest.approx(0.95, abs=0.022)


def test_where_nothing_can_be_said_nothing_is_said() -> None:
    rng = np.random.default_rng(3)
    scratch, pruned = accuracies(rng, 3, 0.001), [0.91, 0.911, 0.912]
    two = {macs: scratch[macs] for macs in LENGTHS[:2]}
    falling = {macs: [1 - y for y in ys] for macs, ys in scratch.items()}
    assert break_even(two, pruned, 1e12) is None
    assert break_even(scratch, pruned[:1], 1e12) is None
    assert break_even({m: y[:1] for m, y in scratch.items()}, pruned, 1e12) is None
    assert break_even(falling, pruned, 1e12) is None
    vague = break_even(accuracies(rng, 2, 0.05), pruned, 1e12)
    assert vague is None or (vague.low, vague.high) == (None, None)
    coarse = break_even(accuracies(rng, 3, 0.0), [0.91] * 3, 1e12, grain=0.002)
    assert coarse is not None
    assert coarse.high > coarse.factor > coarse.low
