"""Which units are removed to try a group: sets that no symmetry maps onto themselves.

Suppose that a network reverses its channels, and that nobody knows. A cut of channels that lie as
the reversed ones do is right by chance. So is a cut of every second channel behind some shuffles.
The sets here are drawn at random, and drawn again while a reflection, a rotation, a shuffle or an
exchange of blocks leaves them as they are. Their sizes differ: one half, about a third, and one
unit. The first and the last unit are removed from some and kept in others.

A narrow group has few sets, and hardly one without a symmetry. A wrong cut of three units may be
right for every set but one. So all sets of up to four units are tried, and of up to eight units
each one is removed alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, zip_longest

import numpy as np

from prunetune.compress.graph.groups import Group

_DRAWS = 20
"""How often a set is drawn again; narrow groups have no set without any symmetry."""
_FEW, _NARROW = 4, 8
"""Groups of up to so many units: all sets are tried, or each unit alone."""
_WIDE = 64
"""A random set of so many units has no symmetry: the chance is below 1e-9."""


def removals(groups: Sequence[Group], seed: int = 0) -> Iterator[list[list[int]]]:
    """For each trial the units to remove from each group.

    In the first three trials each group of two units or more loses some. Others follow where groups
    are narrow; wide groups stay whole in them.
    """
    generator = np.random.default_rng(seed)
    for trial in range(3):
        yield [_removed(group.width, trial, generator) for group in groups]
    for units in zip_longest(*(_small_sets(group.width) for group in groups), fillvalue=()):
        yield [list(removed) for removed in units]


def random_order(groups: Sequence[Group], seed: int = 0) -> list[list[int]]:
    """A random order of the units of each group.

    A network that takes unit a for unit b somewhere computes the same in the new order only if that
    keeps a and b as a pair, which has a chance of 2 / (width · (width - 1)).
    """
    generator = np.random.default_rng(seed)
    return [generator.permutation(group.width).tolist() for group in groups]


def _small_sets(width: int) -> list[tuple[int, ...]]:
    """All sets that leave some of a few units, or each unit of a narrow group alone."""
    sizes = range(1, width if width <= _FEW else 2 if width <= _NARROW else 1)
    return [units for size in sizes for units in combinations(range(width), size)]


def _removed(width: int, trial: int, generator: np.random.Generator) -> list[int]:
    """The units that one trial removes from a group of `width` units, ascending."""
    keep = (width // 2, (width + 1) // 3 | 1, 1)[trial]
    keep = max(1, min(keep, width - 1))
    without, with_ = ((0, width - 1), (width - 1, 0), (None, None))[trial]
    for _ in range(_DRAWS):
        order = [int(u) for u in generator.permutation(width) if u not in (without, with_)]
        first = [with_] if with_ is not None and width > 1 else []
        kept = (first + order)[:keep]
        if width > _WIDE or not is_symmetric(set(kept), width):
            break
    return sorted(set(range(width)) - set(kept)) if width > 1 else []


def is_symmetric(units: set[int], width: int) -> bool:
    """Whether a reflection, rotation, shuffle or exchange of blocks of [0, width) keeps the set."""
    rotations = ([(u + by) % width for u in units] for by in range(1, width))
    images = [[width - 1 - u for u in units], *rotations]
    for size in range(2, width):
        if width % size == 0:
            images.append([u % size * (width // size) + u // size for u in units])
            images.append([u // size * size + size - 1 - u % size for u in units])
    return any(units == set(image) for image in images)
