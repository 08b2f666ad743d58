"""Corrections against stepwise procedures and the exhaustive test of all intersections."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prunetune.statistics.contrasts import Contrast
from prunetune.statistics.corrections import (
    GatedPair,
    agreeing_interval,
    gated,
    gated_graph,
    gated_levels,
    graph_corrected,
    holm,
    without,
)

probabilities = st.floats(0, 1) | st.floats(0, 0.02)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_the_stepwise_procedure(ps: list[float]) -> None:
    corrected, remaining = holm(ps), len(ps)
    rejected = set()
    for index in sorted(range(len(ps)), key=lambda i: ps[i]):
        if ps[index] * remaining > 0.05:
            break
        rejected.add(index)
        remaining -= 1
    assert {i for i, p in enumerate(corrected) if p <= 0.05} == rejected
    assert all(c >= p for c, p in zip(corrected, ps, strict=True))


def closed_test(ps: list[float], weights: np.ndarray, transitions: np.ndarray) -> list[float]:
    """Corrected p values by the closure: each hypothesis over all intersections that hold it."""
    nodes = range(len(ps))
    corrected = np.zeros(len(ps))
    for size in range(1, len(ps) + 1):
        for kept in combinations(nodes, size):
            w, g = weights, transitions
            for node in set(nodes) - set(kept):
                w, g = without(node, w, g)
            p = min((ps[i] / w[i] for i in kept if w[i] > 0), default=1.0)
            corrected[list(kept)] = np.maximum(corrected[list(kept)], min(1.0, p))
    return corrected.tolist()


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from([[(2, 2), (2, 2)], [(2, 3)], [(1, 3), (0, 2)], [(2, 1), (1, 2)]]),
    st.data(),
)
def test_the_graph_is_the_closed_test(sizes: list[tuple[int, int]], data: st.DataObject) -> None:
    nodes = sum(map(sum, sizes))
    ps = data.draw(st.lists(probabilities, min_size=nodes, max_size=nodes))
    weights, transitions = gated_graph(sizes)
    assert weights.sum() == pytest.approx(1)
    assert (transitions.sum(1) <= 1 + 1e-12).all()
    expected = closed_test(ps, weights, transitions)
    assert graph_corrected(ps, weights, transitions) == pytest.approx(expected)


def test_holm_is_the_graph_of_equals() -> None:
    ps = [0.01, 0.04, 0.03, 0.005]
    everyone = (1 - np.eye(4)) / 3
    assert graph_corrected(ps, np.full(4, 0.25), everyone) == pytest.approx(holm(ps))


@given(st.data())
def test_the_gate_in_closed_form(data: st.DataObject) -> None:
    """A budget is rejected once one top is, at one share, or once both are, at two shares."""
    drawn = st.tuples(
        st.tuples(probabilities, probabilities),
        st.lists(probabilities, min_size=3, max_size=3).map(tuple),
    )
    pairs = [GatedPair(*pair) for pair in data.draw(st.lists(drawn, min_size=1, max_size=3))]
    shares = 2 * len(pairs)
    for before, after in zip(pairs, gated(pairs), strict=True):
        tops = [min(1.0, shares * p) for p in before.contrasts]
        assert after.contrasts == pytest.approx(tuple(tops))
        # Scaled down, so that Holm does not cut them off at 1.
        steps = [1e3 * p for p in holm([p / 1e3 for p in before.budgets])]
        for p, step in zip(after.budgets, steps, strict=True):
            one, both = max(min(tops), shares * step), max(max(tops), shares / 2 * step)
            assert p == pytest.approx(min(1.0, one, both))


def test_without_contrasts_all_budgets_are_equals() -> None:
    pairs = [GatedPair((), (0.01, 0.03)), GatedPair((), (0.02,))]
    assert gated(pairs) == [GatedPair((), (0.03, 0.04)), GatedPair((), (0.04,))]
    assert gated_levels(gated(pairs)) == [(0.05 / 3, 0.05 / 3)] * 2


def test_levels_follow_what_was_handed_on() -> None:
    pairs = [GatedPair((0.001, 0.5), (0.001,) * 5), GatedPair((0.5, 0.5), (0.0,) * 5)]
    both = GatedPair((0.001, 0.001), (0.5,) * 5)
    assert np.allclose(gated_levels(gated(pairs)), [(0.0125, 0.0025)] * 2)
    assert np.allclose(gated_levels(gated([pairs[0], both])), [(0.0125, 0.0025), (0.0125, 0.005)])
    assert gated(pairs)[1].budgets == (1.0,) * 5  # no alpha was handed to them


@given(st.floats(-0.1, 0.1), st.sampled_from([0.05, 0.001]), st.booleans())
def test_interval_and_decision_agree(difference: float, level: float, significant: bool) -> None:
    contrast = Contrast(difference=difference, error=0.01, df=4, n=5, paired=False)
    low, high = agreeing_interval(contrast, level, significant=significant)
    assert (low > 0 or high < 0) == significant
    plain = (difference - contrast.half_width(level), difference + contrast.half_width(level))
    if significant == (plain[0] > 0 or plain[1] < 0):
        assert (low, high) == plain
