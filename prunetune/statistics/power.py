"""What a test detects, and how likely each outcome is where arms are equal.

All functions take a design: the difference, error and degrees of freedom that the test sees in many
simulated sweeps with equal arms (`designs`). Adding a true difference d to an arm only moves the
differences by d, so one set of sweeps answers for every d. The power is that of the test really
used, with its own degrees of freedom in each sweep.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from prunetune.statistics.moments import Floats, Moments

POWER = 0.8


class Outlook(NamedTuple):
    """Probabilities of the three outcomes of a comparison of equal arms."""

    wins: float
    """A false win of either arm."""
    equivalent: float
    undecided: float


def detectable(design: Moments, level: float, power: float = POWER) -> float:
    """The smallest true difference that is found, in its direction, with this power.

    `level` is the test's two-sided level at its step of the correction, alpha / m at the first of m
    steps. If the design has an axis of rivals, the arm must beat all of them at once, each of which
    is behind by that difference.
    """
    return float(np.quantile(_needed(design, level), power))


def power_at(design: Moments, difference: float, level: float) -> float:
    """The probability that a true difference is found, in its direction."""
    return float(np.mean(_needed(design, level) <= difference))


def detectable_margin(design: Moments, level: float, power: float = POWER) -> float:
    """The smallest margin within which equal arms are called equivalent with this power.

    `level` is that of each of the two one-sided tests.
    """
    return float(np.quantile(_reach(design, level), power))


def outlook(design: Moments, margin: float, level: float) -> Outlook:
    """How a comparison of equal arms will end, tested at `level` two-sided and for equivalence.

    Equivalence is judged first: an interval within the margin is not a win.
    """
    equivalent = _reach(design, level) < margin
    wins = (design.p() <= level) & ~equivalent
    undecided = ~(equivalent | wins)
    return Outlook(float(wins.mean()), float(equivalent.mean()), float(undecided.mean()))


def _needed(design: Moments, level: float) -> Floats:
    """The true difference at which each sweep would find it."""
    needed: Floats = design.half_width(level) - design.difference
    return needed.max(-1) if needed.ndim > 1 else needed


def _reach(design: Moments, level: float) -> Floats:
    """The farther end of each sweep's interval at 1 - 2 * level."""
    reach: Floats = np.abs(design.difference) + design.half_width(2 * level)
    return reach
