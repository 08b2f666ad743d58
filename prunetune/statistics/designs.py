"""What each test sees where arms are equal: simulated sweeps of a design, before any trial runs.

`power` reads from these what the design can detect. Every function draws from a generator of its
own with a fixed seed, so a plan has the same numbers wherever it is made. Spreads are standard
deviations in accuracy.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from prunetune.statistics.frontier import frontier_moments
from prunetune.statistics.moments import Floats, Moments, paired_moments, welch_moments, welch_sums

SEED_SPREAD = 0.002
"""Assumed over seeds of one recipe: 0.1 to 0.3 points are usual on CIFAR-10."""
SEARCH_SPREAD = 0.00185
"""Assumed of the true quality of the recipe that a search of 16 trials picks."""
DENSE_SPREAD = 0.001
"""Assumed of the luck of a dense network, which all networks that inherit its weights share."""
DRAWS = 20_000
_VALUES = 4_000_000
"""At most so many accuracies are simulated at once."""


@lru_cache(maxsize=256)
def welch_design(n: int, spread_a: float = SEED_SPREAD, spread_b: float = SEED_SPREAD) -> Moments:
    """Welch's test of two equal arms with n seeds each (or n searches each)."""
    draw = np.random.default_rng([n, 2])
    difference = draw.normal(0, np.hypot(spread_a, spread_b) / np.sqrt(n), DRAWS)
    squares = draw.chisquare(n - 1, (2, DRAWS)) / (n - 1)
    return welch_sums(difference, spread_a**2 * squares[0], spread_b**2 * squares[1], (n, n))


@lru_cache(maxsize=256)
def paired_design(n: int, spread: float = SEED_SPREAD, correlation: float = 0.0) -> Moments:
    """The paired test of two equal arms over n blocks, in which their results correlate."""
    of_pairs = spread * np.sqrt(2 * (1 - correlation))
    return paired_moments(np.random.default_rng([n, 3]).normal(0, of_pairs, (_draws(n), n)))


@lru_cache(maxsize=256)
def rivals_design(n: int, rivals: int, spread: float = SEED_SPREAD) -> Moments:
    """One arm against each of several equal rivals by Welch's test; the last axis is the rival."""
    shape = (_draws((rivals + 1) * n), rivals + 1, n)
    values = np.random.default_rng([n, 4, rivals]).normal(0, spread, shape)
    return welch_moments(values[:, :1], values[:, 1:])


@lru_cache(maxsize=64)
def searched_design(
    log_macs: tuple[float, ...],
    replicates: int,
    seeds: int,
    *,
    inherits: tuple[bool, bool] = (False, True),
    search: float = SEARCH_SPREAD,
    seed: float = SEED_SPREAD,
    dense: float = DENSE_SPREAD,
) -> tuple[Moments, Moments]:
    """Area and tilt of two equal arms by `frontier.searched_frontier`.

    Args:
        log_macs: Natural logarithms of the budgets' MACs.
        replicates: Independent searches of each budget.
        seeds: Confirm seeds of each search.
        inherits: For each arm whether its networks start from the dense network of their seed.
        search: Spread of the quality of the recipes that searches pick.
        seed: Spread over seeds of one recipe.
        dense: Spread of the luck of dense networks.
    """
    draw = np.random.default_rng([len(log_macs), 5, replicates, seeds])
    sweeps = _draws(2 * replicates * seeds * len(log_macs))
    shape = (sweeps, replicates, seeds, len(log_macs))
    luck = draw.normal(0, dense, (sweeps, replicates, seeds, 1))
    a, b = (
        draw.normal(0, search, (sweeps, replicates, 1, len(log_macs)))
        + draw.normal(0, seed, shape)
        + inherited * luck
        for inherited in inherits
    )
    return frontier_moments(a.mean(-2) - b.mean(-2), a, b, np.array(log_macs))


@lru_cache(maxsize=64)
def fixed_design(
    log_macs: tuple[float, ...],
    seeds: int,
    *,
    inherits: tuple[bool, bool] = (False, True),
    seed: float = SEED_SPREAD,
    dense: float = DENSE_SPREAD,
) -> tuple[Moments, Moments]:
    """Area and tilt of two equal arms by `frontier.fixed_frontier`: no search, Welch's test."""
    z = np.array(log_macs) - np.mean(log_macs)
    draw = np.random.default_rng([len(z), 6, seeds])
    sweeps = _draws(2 * seeds * len(z))
    noise: list[Floats] = [
        draw.normal(0, seed, (sweeps, seeds, len(z)))
        + inherited * draw.normal(0, dense, (sweeps, seeds, 1))
        for inherited in inherits
    ]
    lines: Sequence[Floats] = (np.full(len(z), 1 / len(z)), z / (z**2).sum())
    area, tilt = (welch_moments(noise[0] @ line, noise[1] @ line) for line in lines)
    return area, tilt


def _draws(values: int) -> int:
    """The number of sweeps to simulate if one has so many values."""
    return max(500, min(DRAWS, _VALUES // values))
