"""Planned looks: seeds are added only while a comparison is open; alpha is spent over the looks.

The looks are written in the plan. Alpha is spent in proportion to the seeds (Lan and DeMets,
Biometrika 70, 1983): by the look with n of N seeds, equal arms have been told apart with the
probability level * n / N. The level of each look follows by simulation of the test, since with few
seeds no normal approximation holds. Generators have fixed seeds: the same looks give the same
levels.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from prunetune.statistics.moments import Floats, Moments, welch_sums

_SWEEPS = 1_000_000
_CHUNK = 100_000
_LARGEST = 0.05
"""Levels above this are not asked for, so larger p values need not be kept."""


@lru_cache(maxsize=1024)
def look_levels(looks: tuple[int, ...], level: float, *, pairs: bool = False) -> tuple[float, ...]:
    """The level of the test at each look, not corrected, such that all looks together have `level`.

    Args:
        looks: Rising numbers of seeds, 2 at least.
        level: The level of the comparison at its step of the correction, alpha / m at the first; at
            most 0.05.
        pairs: Whether the arms are compared in pairs.

    No look has a level above `level`. The levels are simulated, and right within some percent of
    themselves.
    """
    if not 0 < level <= _LARGEST:
        raise ValueError(f"level {level}: looks share a level above 0 and up to {_LARGEST}")
    ps = _small_ps(looks, pairs)
    levels: list[float] = []
    spent = 0.0
    for k, n in enumerate(looks):
        column = np.sort(ps[:, k])
        spend = level * n / looks[-1] * _SWEEPS - spent
        # With two seeds Welch's test is so strict that no level up to `level` spends its share.
        found = min(level, float(np.interp(spend, np.arange(1, len(column) + 1), column)))
        spent += float((column <= found).sum())
        levels.append(found)
        ps = ps[ps[:, k] > found]
    return tuple(levels)


@lru_cache(maxsize=64)
def looks_design(
    looks: tuple[int, ...], spread: float = 1.0, *, pairs: bool = False, sweeps: int = 20_000
) -> Moments:
    """What the test sees of equal arms at each look (last axis), over the seeds so far."""
    return _cumulative(np.random.default_rng([7, *looks]), looks, spread, pairs, sweeps)


def detectable_by_looks(design: Moments, levels: tuple[float, ...], power: float = 0.8) -> float:
    """The smallest true difference that is found with this power at one of the looks."""
    return float(np.quantile(_needed(design, levels).min(-1), power))


def seeds_used(
    design: Moments, looks: tuple[int, ...], levels: tuple[float, ...], difference: float
) -> float:
    """The mean number of seeds until the difference is found or the looks are used up."""
    found = _needed(design, levels) <= difference
    found[:, -1] = True
    return float(np.array(looks)[found.argmax(-1)].mean())


def _needed(design: Moments, levels: tuple[float, ...]) -> Floats:
    """The true difference at which each sweep would find it, for each look."""
    from scipy.special import stdtrit

    critical = stdtrit(design.df, 1 - np.array(levels) / 2)
    needed: Floats = critical * design.error - design.difference
    return needed


@lru_cache(maxsize=8)
def _small_ps(looks: tuple[int, ...], pairs: bool) -> Floats:
    """The p values at each look of those simulated sweeps that have a small one; else 1."""
    draw = np.random.default_rng([8, *looks])
    kept = []
    for _ in range(_SWEEPS // _CHUNK):
        tests = _cumulative(draw, looks, 1.0, pairs, _CHUNK)
        # No t below the normal quantile has a small p. The others are few, and p is slow.
        large = np.abs(tests.difference) > 1.95 * tests.error
        ps = np.ones(large.shape)
        ps[large] = Moments(*(part[large] for part in tests)).p()
        kept.append(ps[(ps <= _LARGEST).any(1)])
    return np.concatenate(kept)


def _cumulative(
    draw: np.random.Generator, looks: tuple[int, ...], spread: float, pairs: bool, sweeps: int
) -> Moments:
    """Tests of equal arms over the seeds up to each look, from sums of the seeds between looks."""
    shape = (1 if pairs else 2, sweeps)
    total, squares, n = np.zeros(shape), np.zeros(shape), 0
    steps: list[Moments] = []
    for look in looks:
        new = look - n
        added = draw.normal(0, spread * np.sqrt(new), shape)
        # Sums of squares about the mean add up with a term for the distance of the two means.
        squares = squares + n * new / look * (total / max(n, 1) - added / new) ** 2
        if new > 1:
            squares = squares + spread**2 * draw.chisquare(new - 1, shape)
        total, n = total + added, look
        steps.append(_test(total / n, squares / (n - 1), n))
    return Moments(*(np.stack(parts, -1) for parts in zip(*steps, strict=True)))


def _test(means: Floats, variances: Floats, n: int) -> Moments:
    """Welch's test of two samples, or the test of one sample of differences."""
    if len(means) == 2:
        return welch_sums(means[0] - means[1], variances[0], variances[1], (n, n))
    return Moments(means[0], np.sqrt(variances[0] / n), np.full(means[0].shape, n - 1.0))
