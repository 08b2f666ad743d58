from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prunetune.compress.budget.costs import CostTable, LayerCost
from prunetune.compress.budget.ranking import Rule, Scope, Scores, Step, floors_of, ranking
from prunetune.compress.budget.select import Selection, select
from prunetune.compress.method import Infeasible


def ranked(
    scores: list[Scores], scope: Scope, floors: list[int], dense: list[int] | tuple[int, ...]
) -> list[Step]:
    """The ranking where all groups are of one class and have one rate."""
    pools = [g if scope in ("local", "per_group") else 0 for g in range(len(scores))]
    return ranking(scores, Rule(dense, floors, pools, [1.0] * len(scores)))


def chain(widths: list[int], positions: list[int]) -> CostTable:
    """A plain network 3 -> widths -> 10 whose layer i has `positions[i]` output positions."""
    ends = [None, *range(len(widths)), None]
    layers = tuple(
        LayerCost(
            cost,
            3 if a is None else 0,
            10 if b is None else 0,
            {} if a is None else {a: 1},
            {} if b is None else {b: 1},
            groups=1,
            depthwise=False,
        )
        for cost, a, b in zip(positions, ends, ends[1:], strict=False)
    )
    return CostTable(layers, tuple(widths))


@st.composite
def problems(draw: st.DrawFn) -> tuple[CostTable, list[np.ndarray], Scope, float]:
    widths = draw(st.lists(st.integers(2, 6), min_size=1, max_size=3))
    positions = draw(st.lists(st.integers(1, 9), min_size=4, max_size=4))
    scores = [
        np.array(draw(st.lists(st.integers(0, 5), min_size=w, max_size=w)), float) for w in widths
    ]
    scope: Scope = draw(st.sampled_from(["local", "global", "protected_global"]))
    return chain(widths, positions[: len(widths) + 1]), scores, scope, draw(st.floats(0.05, 1))


def naive_prefix(
    costs: CostTable, scores: list[np.ndarray], scope: Scope, floors: list[int], at_most: int
) -> list[int]:
    """Widths after the shortest prefix of the ranking that fits, by counting anew every time."""
    units = [
        (
            (r + 1) / len(score) if scope == "local" else score[unit],
            g,
            r,
        )
        for g, score in enumerate(scores)
        for r, unit in enumerate(sorted(range(len(score)), key=lambda u: (score[u], u)))
        if r < len(score) - floors[g]
    ]
    for count in range(len(units) + 1):
        removed = [g for _, g, _ in sorted(units)[:count]]
        widths = [w - removed.count(g) for g, w in enumerate(costs.widths)]
        if costs.macs(widths) <= at_most:
            return widths
    raise AssertionError("callers ask for what the floors allow")


def kept_widths(costs: CostTable, selection: Selection) -> list[int]:
    return [w - len(units) for w, units in zip(costs.widths, selection.removed, strict=True)]


@settings(max_examples=150, deadline=None)
@given(problems())
def test_selection_against_all_possible_networks(
    problem: tuple[CostTable, list[np.ndarray], Scope, float],
) -> None:
    costs, scores, scope, share = problem
    floors = floors_of(scope, costs.widths, 0.4)
    at_most = int(costs.macs(costs.widths) * share)
    at_least = 0.9 * at_most
    every = [
        costs.macs(widths)
        for widths in itertools.product(
            *(range(f, w + 1) for f, w in zip(floors, costs.widths, strict=True))
        )
    ]
    steps = ranked(scores, scope, floors, costs.widths)
    try:
        found = select(steps, costs, at_most, at_least)
    except Infeasible as error:
        miss = error.nearest_macs
    else:
        miss = None
    if miss is not None:
        assert miss in every
        assert miss == min(every) if min(every) > at_most else miss < at_least
        return
    widths = kept_widths(costs, found)
    assert found.macs == costs.macs(widths)
    assert at_least <= found.macs <= at_most
    assert all(width >= floor for width, floor in zip(widths, floors, strict=True))
    for score, units in zip(scores, found.removed, strict=True):
        kept = [score[u] for u in range(len(score)) if u not in units]
        assert max((score[u] for u in units), default=-1) <= min(kept)
    prefix = naive_prefix(costs, scores, scope, floors, at_most)
    if costs.macs(prefix) >= at_least:
        assert (widths, found.repair, found.n_departures) == (prefix, "none", 0)
    else:
        assert found.n_departures > 0


@settings(max_examples=60, deadline=None)
@given(problems(), st.floats(0.05, 1))
def test_a_smaller_budget_never_keeps_more(
    problem: tuple[CostTable, list[np.ndarray], Scope, float], other: float
) -> None:
    costs, scores, scope, share = problem
    floors = [1] * len(scores)
    steps = ranked(scores, scope, floors, costs.widths)
    floor_macs, dense = costs.macs(floors), costs.macs(costs.widths)
    low, high = (
        kept_widths(costs, select(steps, costs, max(floor_macs, int(dense * s))))
        for s in sorted((share, other))
    )
    assert all(a <= b for a, b in zip(low, high, strict=True))


def test_the_cheaper_repair_is_taken() -> None:
    # removing unit 0 of group 0 (100 MACs) overshoots, one of group 1 (10 MACs) would do
    costs = CostTable(
        (LayerCost(10, 10, 0, {}, {0: 1}, 1, False), LayerCost(1, 10, 0, {}, {1: 1}, 1, False)),
        (4, 40),
    )
    scores = [np.array([0.0, 7, 8, 9]), np.arange(1.0, 41)]
    steps = ranked(scores, "global", [1, 1], costs.widths)
    skipped = select(steps, costs, 790, 785)
    assert (skipped.repair, skipped.n_departures, skipped.removed) == ("skip", 1, ((), (0,)))
    given_back = select(steps, costs, 690, 685)  # 0, then group 1's first
    assert (given_back.repair, given_back.removed) == ("none", ((0,), (0,)))


def test_of_two_repairs_the_one_with_fewer_departures_is_taken() -> None:
    # 20 units of 10 MACs go first, then one of 100 overshoots: give back nine, or skip that one
    costs = CostTable(
        (LayerCost(10, 10, 0, {}, {0: 1}, 1, False), LayerCost(1, 10, 0, {}, {1: 1}, 1, False)),
        (4, 40),
    )
    scores = [np.array([20.5, 97, 98, 99]), np.arange(1.0, 41)]
    found = select(ranked(scores, "global", [1, 1], costs.widths), costs, 595, 585)
    assert (found.macs, found.repair, found.n_departures) == (590, "skip", 1)


def test_ties_go_by_group_and_then_by_channel() -> None:
    steps = ranked([np.tile([1.0, 0.0], 99), np.zeros(2)], "global", [99, 1], [198, 2])
    last = [(0, unit) for unit in range(1, 198, 2)]
    assert [(step.group, step.unit) for step in steps] == [*last, (1, 0)]


def test_local_takes_the_same_share_of_every_group() -> None:
    scores = [np.arange(8.0), np.arange(100.0, 104.0)]
    steps = ranked(scores, "local", [1, 1], [8, 4])
    for count in range(len(steps)):
        lost = [sum(step.group == g for step in steps[:count]) for g in (0, 1)]
        assert abs(lost[0] / 8 - lost[1] / 4) <= 1 / 4


@pytest.mark.parametrize("share", [0.1, 0.25, 0.3])
def test_floors_round_up_and_are_one_at_least(share: float) -> None:
    assert floors_of("protected_global", [1, 10, 16], share) == [
        1,
        {0.1: 1, 0.25: 3, 0.3: 3}[share],
        {0.1: 2, 0.25: 4, 0.3: 5}[share],
    ]
    assert floors_of("global", [1, 10], share) == floors_of("local", [1, 10], share) == [1, 1]
