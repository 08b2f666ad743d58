from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prunetune.compress.budget.ranking import (
    Rule,
    Scores,
    floors_of,
    macs_saved_per_unit,
    pools_of,
    ranking,
    rates_of,
    weigh_costs,
)
from prunetune.compress.budget.select import select
from prunetune.compress.proof.proved_groups import prunable_groups
from tests.compress.budget.test_select import chain
from tests.compress.nets import architecture, trained


@st.composite
def rules(draw: st.DrawFn) -> tuple[list[Scores], Rule, list[int]]:
    """Scores of the units that two rounds may have kept, in pools of one group or more."""
    dense = draw(st.lists(st.integers(1, 7), min_size=1, max_size=4))
    remaining = [draw(st.integers(0, width)) for width in dense]
    scores = [
        np.array(draw(st.lists(st.integers(0, 4), min_size=n, max_size=n)), dtype=float)
        for n in remaining
    ]
    pools = [draw(st.integers(0, 2)) for _ in dense]
    rate = {pool: draw(st.sampled_from([0.0, 0.3, 1.0, 2.0])) for pool in range(3)}
    floors = [draw(st.integers(0, 2)) for _ in dense]
    return scores, Rule(dense, floors, pools, [rate[pool] for pool in pools]), remaining


@settings(max_examples=200, deadline=None)
@given(rules())
def test_all_pools_lose_their_share_and_the_worst_of_each_go_first(
    problem: tuple[list[Scores], Rule, list[int]],
) -> None:
    scores, rule, remaining = problem
    steps = ranking(scores, rule)
    assert len({(s.group, s.unit) for s in steps}) == len(steps)
    for group, width in enumerate(remaining):
        units = [s.unit for s in steps if s.group == group]
        allowed = max(0, width - rule.floors[group]) if rule.rates[group] else 0
        assert units == sorted(range(width), key=lambda u: (scores[group][u], u))[:allowed]
    for pool in set(rule.pools):
        within = [scores[s.group][s.unit] for s in steps if rule.pools[s.group] == pool]
        assert within == sorted(within)
    size = {p: sum(d for d, q in zip(rule.dense_widths, rule.pools, strict=True) if q == p)
            for p in rule.pools}  # fmt: skip
    removed = {p: size[p] - sum(n for n, q in zip(remaining, rule.pools, strict=True) if q == p)
            for p in rule.pools}  # fmt: skip
    rate = dict(zip(rule.pools, rule.rates, strict=True))
    levels = []
    for step in steps:
        pool = rule.pools[step.group]
        removed[pool] += 1
        levels.append(removed[pool] / size[pool] / rate[pool])
    assert levels == sorted(levels)


def test_isomorphic_takes_the_same_share_of_every_class_whatever_the_scale_of_scores() -> None:
    network = architecture("resnet20")
    model = trained(network)
    groups = prunable_groups(model, network)
    pools = pools_of("isomorphic", model, groups)
    inner = [i for i, g in enumerate(groups) if len(g.members) == 3]
    assert len({pools[i] for i in inner}) == 1  # all blocks are alike
    assert len(set(pools)) == 1 + 3  # and no two stages of the stream
    generator = np.random.default_rng(0)
    scores = [generator.random(g.width) * (1e6 if i in inner else 1) for i, g in enumerate(groups)]
    widths = [g.width for g in groups]
    steps = ranking(scores, Rule(widths, [1] * len(groups), pools, [1.0] * len(groups)))
    for count in range(0, len(steps) * 3 // 4, 7):
        lost = [
            sum(pools[s.group] == pool for s in steps[:count])
            / sum(w for w, p in zip(widths, pools, strict=True) if p == pool)
            for pool in set(pools)
        ]
        assert max(lost) - min(lost) <= 1 / 16


@pytest.mark.parametrize(("ratios", "expected"), [
    ({}, [1, 1, 1, 1]),
    ({"layer1": 0.3}, [1, 0.3, 0.3, 1]),
    ({"layer1": 0.3, "layer1/1": 0}, [1, 0.3, 0, 1]),
    ({"layer1/1/conv1": 2.0, "conv1": 0.5}, [0.5, 1, 2.0, 1]),
])  # fmt: skip
def test_the_longest_pattern_gives_the_rate(ratios: Any, expected: list[float]) -> None:
    names = ["conv1", "layer1.0.conv1", "layer1.1.conv1", "layer10.1.conv1"]
    assert rates_of(ratios, names) == expected


@pytest.mark.parametrize("pattern", ["layer2", "layer", "layer1/0/conv"])
def test_a_pattern_without_a_match_is_refused_with_the_names_of_the_groups(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"starts with '.*'; the groups are conv1, layer1/0/conv1"):
        rates_of({pattern: 0.5}, ["conv1", "layer1.0.conv1"])


def test_rates_are_relative_and_at_rate_zero_a_group_stays_whole() -> None:
    scores = [np.arange(10.0), np.arange(10.0), np.arange(10.0)]
    for factor in (1, 7):
        steps = ranking(scores, Rule([10] * 3, [1] * 3, [0, 1, 2], [0.0, factor, factor / 3]))
        removed = [sum(s.group == g for s in steps[:12]) for g in range(3)]
        assert removed == [0, 9, 3]
    no_steps = ranking(scores, Rule([10] * 3, [1] * 3, [0, 1, 2], [0.0] * 3))
    assert no_steps == []


def test_with_floor_zero_only_removable_groups_may_lose_all_units() -> None:
    for scope in ("local", "global", "protected_global", "isomorphic", "per_group"):
        assert floors_of(scope, [5, 6, 7], 0, {1}) == [1, 0, 1]  # type: ignore[arg-type]
        assert floors_of(scope, [5, 6, 7], 0.1, {1})[1] == 1  # type: ignore[arg-type]


unit_scores = st.floats(0, 100, allow_subnormal=False)  # a subnormal times 1e-3 may be 0
arrays = st.lists(st.lists(unit_scores, max_size=5).map(np.array), min_size=1, max_size=4)


@settings(max_examples=100, deadline=None)
@given(arrays, st.sampled_from(["divide", "subtract"]), st.floats(0.01, 100))
def test_costs_that_are_equal_change_no_ranking(
    scores: list[Scores], how: Any, scale: float
) -> None:
    weighed = weigh_costs(scores, [int(scale * 100)] * len(scores), how, 1.0)
    before, after = (np.concatenate(s) for s in (scores, weighed))
    for i, j in itertools.combinations(range(len(before)), 2):
        if before[i] < before[j]:
            assert after[i] <= after[j]


@settings(max_examples=100, deadline=None)
@given(arrays, st.data())
def test_costs_against_their_definition(scores: list[Scores], data: st.DataObject) -> None:
    costs = [data.draw(st.integers(1, 1000)) for _ in scores]
    assert all(a is b for a, b in zip(scores, weigh_costs(scores, costs, "none", 1), strict=True))
    units = np.concatenate(scores)
    if not len(units) or not units.mean() > 0:
        return
    each = np.concatenate([[c] * len(s) for c, s in zip(costs, scores, strict=True)])
    s, c = units / units.mean(), each / each.mean()
    for weight in (0.0, 0.3, 2.0):
        weighed = np.concatenate(weigh_costs(scores, costs, "subtract", weight))
        np.testing.assert_allclose(weighed, s - weight * c, atol=1e-12)
    np.testing.assert_allclose(np.concatenate(weigh_costs(scores, costs, "divide", 9)), s / c)
    scaled = [1e-3 * score for score in scores]
    for how in ("divide", "subtract"):
        a, b = (weigh_costs(x, [7 * c for c in costs], how, 0.5) for x in (scores, scaled))  # type: ignore[arg-type]
        np.testing.assert_allclose(np.concatenate(a), np.concatenate(b))


def test_of_two_units_with_equal_scores_the_one_with_more_macs_goes_first() -> None:
    costs = chain([4, 4], [1, 50, 1])
    saved = macs_saved_per_unit(costs)
    assert saved == [1 * 3 + 50 * 4, 50 * 4 + 1 * 10]
    scores = [np.full(4, 3.0), np.full(4, 3.0)]
    for how in ("divide", "subtract"):
        weighed = weigh_costs(scores, saved, how, 1.0)  # type: ignore[arg-type]
        steps = ranking(weighed, Rule([4, 4], [1, 1], [0, 0], [1.0, 1.0]))
        assert steps[0].group == 1
    assert sum(select(steps, costs, costs.macs([4, 3])).removed, ()) == (0,)
