"""Which units are kept to try a group: sets that no symmetry maps onto themselves.

Suppose that a network reverses its channels, and that nobody knows. A cut of channels that lie as
the reversed ones do is right by chance. So is a cut of every second channel behind some shuffles.
The first set is drawn at random, and drawn again while a reflection, a rotation, a shuffle or an
exchange of blocks leaves it as it is. The second one is its complement, and the third a single
unit. The first and the last unit are kept in some and removed in others.

Of two channels that are exchanged somewhere, a set that holds both or neither sees nothing. So the
units of the first two sets stand in a random order. Any two units are separated by these sets, or
both stand in one of them, where the order shows that one is taken for the other.

A narrow group has few sets, and hardly one without a symmetry. A wrong cut of three units may be
right for every set but one. So all sets of up to four units are tried, and of up to eight units
each one is removed alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, zip_longest

import numpy as np

from prunetune.compress.graph.groups import Group
from prunetune.compress.network.cut import other_units

_DRAWS = 20
"""How often a set is drawn again; narrow groups have no set without any symmetry."""
_FEW, _NARROW = 4, 8
"""Groups of up to so many units: all sets are tried, or each unit alone."""
_WIDE = 64
"""A random set of so many units has no symmetry: the chance is below 1e-9."""


def kept_units(groups: Sequence[Group], seed: int = 0) -> Iterator[list[list[int]]]:
    """For each trial the units to keep of each group, in an order of their own.

    In the first three trials each group of two units or more loses some. Others follow where groups
    are narrow; wide groups stay whole in them.
    """
    generator = np.random.default_rng(seed)
    some = [_some(group.width, generator) for group in groups]
    yield some
    yield [generator.permutation(rest or [0]).tolist() for rest in other_units(groups, some)]
    yield [[int(generator.integers(group.width))] for group in groups]
    for units in zip_longest(*(_small_sets(group.width) for group in groups), fillvalue=()):
        yield other_units(groups, units)


def _small_sets(width: int) -> list[tuple[int, ...]]:
    """Sets to remove: all that leave some of a few units, or each unit of a narrow group alone."""
    sizes = range(1, width if width <= _FEW else 2 if width <= _NARROW else 1)
    return [units for size in sizes for units in combinations(range(width), size)]


def _some(width: int, generator: np.random.Generator) -> list[int]:
    """About a third of the units, in a random order, with the last one and without the first."""
    if width == 1:
        return [0]
    more = min((width + 1) // 3 | 1, width - 1) - 1
    for _ in range(_DRAWS):
        drawn = generator.permutation(np.arange(1, width - 1))[:more]
        kept: list[int] = generator.permutation([*drawn, width - 1]).tolist()
        if width > _WIDE or not is_symmetric(set(kept), width):
            break
    return kept


def is_symmetric(units: set[int], width: int) -> bool:
    """Whether a reflection, rotation, shuffle or exchange of blocks of [0, width) keeps the set."""
    rotations = ([(u + by) % width for u in units] for by in range(1, width))
    images = [[width - 1 - u for u in units], *rotations]
    for size in range(2, width):
        if width % size == 0:
            images.append([u % size * (width // size) + u // size for u in units])
            images.append([u // size * size + size - 1 - u % size for u in units])
    return any(units == set(image) for image in images)
