from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from prunetune.config.budget import (
    budget_words,
    index_of_budget,
    kind_of_budget,
    read_budget,
    resolve,
    resolve_all,
    sparsity_of,
)
from prunetune.config.problems.errors import Problems

DENSE = 125_747_840


@pytest.mark.parametrize(
    ("written", "budget", "target"),
    [
        (0.5, 0.5, DENSE // 2),
        ("0.5", 0.5, DENSE // 2),
        ("2x", 0.5, DENSE // 2),
        ("2.0 x", 0.5, DENSE // 2),
        ("2.11x", 0.473934, DENSE * 100 // 211),
        ("63M", 0.501003, 63_000_000),
        ("0.063G", 0.501003, 63_000_000),
        ("63000k", 0.501003, 63_000_000),
        (0.1, 0.1, DENSE // 10),
        ({"sparsity": 0.9}, "sparsity=0.9", DENSE),
        ("sparsity=0.9", "sparsity=0.9", DENSE),
    ],
)
def test_every_form_of_a_budget(written, budget, target):
    assert resolve(written, DENSE) == (budget, target)


@pytest.mark.parametrize(
    "written",
    [
        *(0, 1, 1.0, -0.5, 2, 1e-9, 0.9999999, float("nan"), float("inf"), 10**400),
        *(True, None, "half", "", "x", "M", "1x", "0.5x", "0M", "63 MB", "1e999999999", "1/2"),
        *([0.5], {"sparsity": 1}, {"sparsity": 0.5, "x": 1}, {"macs": 3}, {}),
    ],
)
def test_a_value_that_is_no_budget_is_refused(written):
    with pytest.raises(ValueError):
        read_budget(written)


@pytest.mark.parametrize("written", ["126M", "125747840k", "1G", "0.9999999G", "10k"])
def test_macs_must_lie_below_the_dense_ones(written):
    with pytest.raises(ValueError, match="dense network"):
        resolve(written, 10_000)


@given(st.floats(1e-5, 0.99999), st.integers(10**6, 10**12))
def test_the_target_is_the_share_rounded_down(share, dense):
    assume(0 < round(share, 6) < 1)
    budget, target = resolve(share, dense)
    exact = Fraction(str(share)) * dense
    assert target <= exact < target + 1
    assert budget == round(share, 6)


@given(st.integers(1, 10**6 - 1))
def test_a_recorded_share_reads_back_as_itself(millionths):
    share = round(millionths / 10**6, 6)
    assert resolve(share, DENSE)[0] == resolve(str(share), DENSE)[0] == share


@pytest.mark.parametrize(
    ("first", "second"), [(0.5, "2x"), (0.5, "62.87392M"), ("2.11x", 0.473934), (0.25, 0.2500001)]
)
def test_two_spellings_of_one_budget_are_refused(first, second):
    problems = Problems()
    assert len(resolve_all([first, 0.1, second], DENSE, problems)) == 2
    assert [p.path for p in problems.found] == [("budgets", 2)]
    assert str(first) in problems.found[0].message


def test_a_budget_that_cannot_be_resolved_is_reported_and_left_out():
    problems = Problems()
    found = resolve_all([0.5, "1G", "0.25"], DENSE, problems)
    assert found == ((0.5, DENSE // 2), (0.25, DENSE // 4))
    assert [(p.path, p.value) for p in problems.found] == [(("budgets", 1), "1G")]


@pytest.mark.parametrize(
    ("budget", "kind", "sparsity", "words"),
    [
        (0.25, "macs", None, "25 % of the dense MACs"),
        ("sparsity=0.9", "sparsity", Fraction(9, 10), "90 % sparsity"),
        (None, None, None, "no budget"),
    ],
)
def test_a_recorded_budget_says_what_it_limits(budget, kind, sparsity, words):
    assert (kind_of_budget(budget), sparsity_of(budget)) == (kind, sparsity)
    assert budget_words(budget) == words


def test_a_recorded_budget_is_found_among_the_written_ones():
    written = [0.5, "4x", "63M", {"sparsity": 0.9}]
    recorded = [resolve(value, DENSE).budget for value in written]
    assert [index_of_budget(b, written, DENSE) for b in recorded] == [0, 1, 2, 3]
