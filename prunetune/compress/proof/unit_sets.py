"""Which units are removed to try a group: sets that no symmetry maps onto themselves.

Suppose that a network reverses its channels, and that nobody knows. A cut of channels that lie as
the reversed ones do is right by chance. So is a cut of every second channel behind some shuffles.
The sets here are drawn at random, and drawn again while a reflection, a rotation, a shuffle or an
exchange of blocks leaves them as they are. Their sizes differ: one half, about a third, and one
unit. The first and the last unit are removed from some and kept in others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from prunetune.compress.graph.groups import Group

_DRAWS = 20
"""How often a set is drawn again; narrow groups have no set without any symmetry."""
_WIDE = 64
"""A random set of so many units has no symmetry: the chance is below 1e-9."""


def removals(groups: Sequence[Group], seed: int = 0) -> Iterator[list[list[int]]]:
    """For each trial the units to remove from each group; each group of two units loses some."""
    generator = np.random.default_rng(seed)
    for trial in range(3):
        yield [_removed(group.width, trial, generator) for group in groups]


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
