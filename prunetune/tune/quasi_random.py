"""Random, quasi-random and grid configurations, for samplers that do not learn from results."""

from __future__ import annotations

import math
import random
from math import gcd
from typing import Any

from prunetune.config.samplers import Qmc
from prunetune.config.space.grid import Grid
from prunetune.config.space.space import (
    Choice,
    Config,
    Constant,
    Dimension,
    Domain,
    Float,
    Int,
    Space,
)

_GOLDEN = (math.sqrt(5) - 1) / 2


def random_point(space: Space, seed: int) -> Config:
    """A configuration drawn at random."""
    rng = random.Random(seed)
    return space.draw(lambda dimension: from_unit_cube(dimension.domain, rng.random()))


def qmc_point(space: Space, params: Qmc, seed: int, number: int) -> Config:
    """Point `number` of the sequence that `seed` names; each searched dimension has an axis."""
    axes = {d.path: axis for axis, d in enumerate(d for d in space.dimensions if d.searched)}
    if not axes:
        return space.draw(_nothing)
    from scipy.stats import qmc  # half a second, which no worker should wait for

    kind = qmc.Sobol if params.qmc_type == "sobol" else qmc.Halton
    sequence = kind(d=len(axes), scramble=params.scramble, seed=seed % 2**32)
    if number:  # scipy's Sobol refuses to advance by 0
        sequence.fast_forward(number)
    (point,) = sequence.random(1)
    return space.draw(
        lambda dimension: from_unit_cube(dimension.domain, float(point[axes[dimension.path]]))
    )


def grid_point(space: Space, seed: int, number: int) -> Config:
    """Configuration `number` of a walk that visits every configuration of the grid once.

    The step is the golden section of the grid's size, which spreads any few successive points; it
    shares no divisor with the size, so that the walk visits all of them.
    """
    grid = Grid(space)
    size = grid.size
    step = max(1, round(size * _GOLDEN))
    while gcd(step, size) != 1:
        step += 1
    return grid[(seed + number * step) % size]


def from_unit_cube(domain: Domain, at: float) -> Any:
    """The value of a domain at a point of [0, 1)."""
    match domain:
        case Constant(value=value):
            return value
        case Choice(options=options):
            return options[int(at * len(options))]
        case Int(log=True):
            return _clip(round(_log(domain.low - 0.5, domain.high + 0.5, at)), domain)
        case Int(low=low, high=high, step=step):
            return low + step * int(at * ((high - low) // step + 1))
        case Float(log=True):
            return _clip(_log(domain.low, domain.high, at), domain)
        case Float(step=None):
            return _clip(domain.low + at * (domain.high - domain.low), domain)
        case Float():
            return domain.tick(int(at * domain.ticks))


def _log(low: float, high: float, at: float) -> float:
    return math.exp(math.log(low) + at * (math.log(high) - math.log(low)))


def _clip(value: float, domain: Int | Float) -> float:
    return min(max(value, domain.low), domain.high)


def _nothing(dimension: Dimension) -> Any:
    raise AssertionError(f"{dimension.path} is constant")
