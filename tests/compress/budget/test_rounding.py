"""Rounded widths: on their ladders, within tolerance, the best units of every group kept."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest

from prunetune.compress.budget.costs import CostTable
from prunetune.compress.budget.ranking import Step
from prunetune.compress.budget.rounding import approach, ladder, rounded, select_rounded
from prunetune.compress.budget.select import Selection, select
from prunetune.compress.method import Infeasible
from tests.compress.budget.test_select import chain, ranked

TOLERANCE = 0.005


def test_a_ladder_has_the_width_itself_multiples_and_all_below_the_first() -> None:
    assert ladder(20, 8) == (1, 2, 3, 4, 5, 6, 7, 8, 16, 20)
    assert ladder(20, 8, fewest=6) == (6, 7, 8, 16, 20)
    assert ladder(20, 8, fewest=9) == (16, 20)
    assert ladder(5, 8) == (1, 2, 3, 4, 5)
    for width, fewest in itertools.product(range(1, 40), range(1, 12)):
        assert ladder(width, 1, min(fewest, width)) == tuple(range(min(fewest, width), width + 1))


@pytest.mark.parametrize("multiple", [1, 3, 8])
def test_rounding_takes_a_nearest_width_of_the_ladder(multiple: int) -> None:
    rungs = ladder(multiple * 9, multiple)
    for tenths in range(1, multiple * 80):
        width = Fraction(tenths, 10)
        nearest = min(abs(width - rung) for rung in rungs)
        assert abs(width - rounded(width, multiple)) == nearest


def problem(seed: int) -> tuple[list[Step], CostTable, list[list[float]]]:
    rng = np.random.default_rng(seed)
    widths = [int(width) for width in rng.choice([12, 16, 20, 32], rng.integers(3, 7))]
    costs = chain(widths, [int(p) for p in rng.choice([16, 64, 256], len(widths) + 1)])
    scores = [rng.random(width) for width in widths]
    return ranked(scores, "global", [1] * len(widths), widths), costs, scores


def outcome(share: float, multiple: int, seed: int) -> tuple[Selection | None, CostTable]:
    steps, costs, _ = problem(seed)
    target = int(share * costs.macs(costs.widths))
    multiples = [multiple] * len(costs.widths)
    lowest = (1 - TOLERANCE) * target
    try:
        selection = select_rounded(steps, costs, multiples, target, lowest)
    except Infeasible as error:
        miss = error
    else:
        assert lowest <= selection.macs <= target
        return selection, costs
    assert not lowest <= miss.nearest_macs <= target
    return None, costs


@pytest.mark.parametrize("share", [0.8, 0.5, 0.2])
@pytest.mark.parametrize("multiple", [4, 8])
def test_widths_are_on_their_ladders_and_the_best_units_stay(share: float, multiple: int) -> None:
    met = 0
    for seed in range(12):
        selection, costs = outcome(share, multiple, seed)
        if selection is None:
            continue
        met += 1
        _, _, scores = problem(seed)
        for width, gone, score in zip(costs.widths, selection.removed, scores, strict=True):
            assert width - len(gone) in ladder(width, multiple)
            kept = np.delete(score, gone)
            assert not len(gone) or max(score[list(gone)]) < min(kept)
        kept_widths = [w - len(g) for w, g in zip(costs.widths, selection.removed, strict=True)]
        assert selection.macs == costs.macs(kept_widths)
    assert met >= 9


def test_a_multiple_of_one_is_no_rounding() -> None:
    """Where the ranking alone meets the budget, blocks of single units do what `select` does."""
    same = 0
    for seed in range(20):
        steps, costs, _ = problem(seed)
        target = int(0.5 * costs.macs(costs.widths))
        plain = select(steps, costs, target, (1 - TOLERANCE) * target)
        if plain.repair == "none":
            same += 1
            ones = [1] * len(costs.widths)
            assert select_rounded(steps, costs, ones, target, (1 - TOLERANCE) * target) == plain
    assert same > 3


@pytest.mark.parametrize("seed", range(8))
def test_the_search_finds_what_trying_all_widths_finds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    widths = [16, 24, 16]
    costs = chain(widths, [int(p) for p in rng.integers(1, 40, 4)])
    ladders = [ladder(width, 8) for width in widths]
    target = int(rng.uniform(0.2, 0.9) * costs.macs(widths))
    window = (target, (1 - TOLERANCE) * target)
    within = [
        combination
        for combination in itertools.product(*ladders)
        if window[1] <= costs.macs(combination) <= window[0]
    ]
    try:
        found, moves = approach(costs, [8, 8, 8], ladders, range(3), *window)
    except Infeasible:
        assert not within
        return
    assert tuple(found) in within

    def distance(combination: tuple[int, ...]) -> int:
        rungs = zip(ladders, combination, strict=True)
        return sum(abs(rung.index(width) - rung.index(8)) for rung, width in rungs)

    assert moves >= distance(tuple(found)) >= min(map(distance, within))
