from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import lars_path, lasso_path

from prunetune.compress.scoring.lasso import Array, LassoPath, entry_penalties


def problem(seed: int, rows: int, columns: int, rank: int | None = None) -> tuple[Array, Array]:
    """Columns that are correlated, and what they are to explain."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, rank or columns)) @ rng.standard_normal(
        (rank or columns, columns)
    )
    return x, x.sum(1) + 0.3 * rng.standard_normal(rows)


def assert_optimal(path: LassoPath, cross: Array) -> None:
    """The Karush-Kuhn-Tucker conditions of ½ βᵀ G β - cᵀ β + λ ‖β‖₁."""
    left = cross - path.gram @ path.beta
    size = np.abs(cross).max()
    assert (np.abs(left) <= path.penalty + 1e-8 * size).all()
    active = path.beta != 0
    np.testing.assert_allclose(
        left[active], path.penalty * np.sign(path.beta[active]), atol=1e-8 * size
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 12), st.integers(1, 12))
def test_every_place_on_the_path_is_optimal(seed: int, rows: int, columns: int) -> None:
    x, y = problem(seed, rows, columns, rank=min(columns, 1 + seed % 6))
    path = LassoPath(x.T @ x, x.T @ y)
    places = 0
    while path.advance():
        assert_optimal(path, x.T @ y)
        places += 1
    assert places < 4 * columns + 4
    assert (path.entered[path.beta != 0] > 0).all()


@pytest.mark.parametrize("seed", range(8))
def test_columns_enter_where_another_implementation_has_them_enter(seed: int) -> None:
    x, y = problem(seed, 40, 15)
    penalties, _, coefficients = lars_path(x, y, method="lasso")
    # lars_path reports λ / rows at each change; a column is in from the change before it is seen
    first = [penalties[np.flatnonzero(row)[0] - 1] * 40 for row in coefficients]
    np.testing.assert_allclose(entry_penalties(x.T @ x, x.T @ y), first, rtol=1e-7)


def test_between_changes_the_columns_are_those_of_coordinate_descent() -> None:
    x, y = problem(3, 60, 10)
    found = np.sort(entry_penalties(x.T @ x, x.T @ y))[::-1]
    middles = (found[:-1] + found[1:]) / 2
    penalties, coefficients, _ = lasso_path(x, y, alphas=middles / 60, tol=1e-12)
    np.testing.assert_allclose(penalties * 60, middles)
    assert [int((c != 0).sum()) for c in coefficients.T] == list(range(1, 10))


def test_what_needs_not_enter_has_no_penalty() -> None:
    x, _ = problem(0, 30, 5)
    x = np.concatenate([x, np.zeros((30, 1)), x[:, :1], 0.5 * x[:, 1:2]], axis=1)
    found = entry_penalties(x.T @ x, x.T @ x.sum(1))
    assert (found[:5] > 0).all()
    assert found[5:].tolist() == [0, 0, 0]


def test_nothing_to_explain() -> None:
    assert entry_penalties(np.zeros((3, 3)), np.zeros(3)).tolist() == [0, 0, 0]
    assert entry_penalties(np.eye(2), np.zeros(2)).tolist() == [0, 0]
