from __future__ import annotations

import numpy as np
import pytest

from prunetune.compress.graph.groups import Group, Member
from prunetune.compress.proof.unit_sets import is_symmetric, kept_units


def group(width: int) -> Group:
    return Group((Member("a", "out", np.arange(width).reshape(-1, 1)),))


@pytest.mark.parametrize("width", [2, 3, 4, 5, 8, 12, 16, 31, 64, 200])
def test_every_trial_keeps_some_units_and_removes_some(width: int) -> None:
    trials = [kept for (kept,) in kept_units([group(width)])]
    assert all(0 < len(set(kept)) == len(kept) < width for kept in trials)
    assert all(set(kept) <= set(range(width)) for kept in trials)
    if width > 4:
        assert len({len(units) for units in trials[:3]}) == 3
    assert [0 in trials[0], width - 1 in trials[0]] == [False, True]
    assert [0 in trials[1], width - 1 in trials[1]] == [True, False]


@pytest.mark.parametrize("width", [8, 12, 16, 24, 64, 200])
def test_any_two_units_are_separated_or_stand_in_a_random_order(width: int) -> None:
    first, second, *_ = (kept for (kept,) in kept_units([group(width)]))
    assert sorted(first + second) == list(range(width))
    assert first != sorted(first)
    assert second != sorted(second)


@pytest.mark.parametrize("width", [8, 12, 16, 24, 64])
def test_no_reflection_rotation_or_shuffle_keeps_a_set_of_several_units(width: int) -> None:
    for kept in list(kept_units([group(width)]))[:2]:
        units = set(kept[0])
        assert units != {width - 1 - u for u in units}
        assert all(units != {(u + by) % width for u in units} for by in range(1, width))
        for parts in (d for d in range(2, width) if width % d == 0):
            shuffled = np.arange(width).reshape(parts, -1).T.ravel()
            assert units != set(shuffled[list(units)].tolist())


@pytest.mark.parametrize("width", range(1, 12))
def test_of_narrow_groups_every_set_or_every_unit_is_tried(width: int) -> None:
    trials = list(kept_units([group(width), group(40)]))
    tried = {frozenset(range(width)) - set(narrow) for narrow, _ in trials}
    assert {frozenset({unit}) for unit in range(width) if 1 < width <= 8} <= tried
    if width <= 4:
        assert len(tried - {frozenset()}) == 2**width - 2
    if width > 8:
        assert len(trials) == 3
    assert all((len(wide) < 40) == (trial < 3) for trial, (_, wide) in enumerate(trials))


def test_groups_of_one_unit_keep_it() -> None:
    assert all(kept[0] == [0] for kept in kept_units([group(1), group(2)]))


def test_symmetric_sets_are_seen() -> None:
    assert is_symmetric({0, 7}, 8)  # a reflection
    assert is_symmetric({0, 2, 4, 6}, 8)  # every second
    assert is_symmetric({0, 1, 4, 5}, 8)  # a rotation
    assert not is_symmetric({0, 1, 3}, 8)
