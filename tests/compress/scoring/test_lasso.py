from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import lars_path, lasso_path

from prunetune.compress.scoring.lasso import Array, LassoPath, entry_penalties


def problem(seed: int, rows: int, columns: int, rank: int | None = None) -> tuple[Array, Array]:
    """Correlated columns, and the target of their regression."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, rank or columns)) @ rng.standard_normal(
        (rank or columns, columns)
    )
    return x, x.sum(1) + 0.3 * rng.standard_normal(rows)


def assert_optimal(path: LassoPath, cross: Array) -> None:
    """The Karush-Kuhn-Tucker conditions of ½ βᵀ G β - cᵀ β + λ ‖β‖₁."""
    correlations = cross - path.gram @ path.beta
    size = np.abs(cross).max()
    assert (np.abs(correlations) <= path.penalty + 1e-8 * size).all()
    active = path.beta != 0
    np.testing.assert_allclose(
        correlations[active], path.penalty * np.sign(path.beta[active]), atol=1e-8 * size
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 12), st.integers(1, 12))
def test_every_point_on_the_path_is_optimal(seed: int, rows: int, columns: int) -> None:
    x, y = problem(seed, rows, columns, rank=min(columns, 1 + seed % 6))
    path = LassoPath(x.T @ x, x.T @ y)
    points = 0
    while path.advance():
        assert_optimal(path, x.T @ y)
        points += 1
    assert points < 4 * columns + 4
    assert (path.entered[path.beta != 0] > 0).all()


@pytest.mark.parametrize("seed", range(8))
def test_columns_enter_where_another_implementation_has_them_enter(seed: int) -> None:
    x, y = problem(seed, 40, 15)
    penalties, _, coefficients = lars_path(x, y, method="lasso")
    # lars_path reports λ / rows and β at each change; a column whose β is first not zero at one
    # change has entered at the change before.
    first = [penalties[np.flatnonzero(row)[0] - 1] * 40 for row in coefficients]
    np.testing.assert_allclose(entry_penalties(x.T @ x, x.T @ y), first, rtol=1e-7)


def test_between_changes_the_columns_are_those_of_coordinate_descent() -> None:
    x, y = problem(3, 60, 10)
    entries = np.sort(entry_penalties(x.T @ x, x.T @ y))[::-1]
    middles = (entries[:-1] + entries[1:]) / 2
    penalties, coefficients, _ = lasso_path(x, y, alphas=middles / 60, tol=1e-12)
    np.testing.assert_allclose(penalties * 60, middles)
    assert [int((c != 0).sum()) for c in coefficients.T] == list(range(1, 10))


def test_columns_that_others_span_have_penalty_zero() -> None:
    x, _ = problem(0, 30, 5)
    x = np.concatenate([x, np.zeros((30, 1)), x[:, :1], 0.5 * x[:, 1:2]], axis=1)
    entries = entry_penalties(x.T @ x, x.T @ x.sum(1))
    assert (entries[:5] > 0).all()
    assert entries[5:].tolist() == [0, 0, 0]


def test_without_a_target_no_column_enters() -> None:
    assert entry_penalties(np.zeros((3, 3)), np.zeros(3)).tolist() == [0, 0, 0]
    assert entry_penalties(np.eye(2), np.zeros(2)).tolist() == [0, 0]
