"""The LASSO path from a Gram matrix, by least angle regression (Efron et al., math/0406456)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.linalg import cholesky, solve_triangular

Array = npt.NDArray[np.float64]

_SPANNED = 1e-10
"""The active columns span a column if they leave at most this share of its energy.

Rounding leaves a spanned column a little more than nothing, and the Cholesky factor would divide by
the root of that little."""
_NEGLIGIBLE = 1e-12
"""Rounding errors are smaller: of a speed, whose unit is that of λ, and of a penalty, as a share of
the largest one."""
_MAX_STEPS_PER_COLUMN = 8
"""A longer path is given up: rounding errors have sent it round in circles."""


def entry_penalties(gram: Array, cross: Array) -> Array:
    """For each column the largest penalty λ at which its coefficient is not zero, or 0 if none is.

    The coefficients β minimise ½ βᵀ G β - cᵀ β + λ ‖β‖₁ with G = `gram` (positive semi-definite, it
    may be singular) and c = `cross`. β is not unique among columns that span each other: the first
    column to enter stays, and columns that the active ones span need not enter.
    """
    path = LassoPath(gram, cross)
    for _ in range(_MAX_STEPS_PER_COLUMN * len(cross)):
        if not path.advance():
            break
    return path.entered


class LassoPath:
    """A point on the path. Between two changes of the active columns, β is linear in λ."""

    def __init__(self, gram: Array, cross: Array) -> None:
        self.gram = gram
        self.penalty = float(np.abs(cross).max(initial=0.0))
        self.beta = np.zeros(len(cross))
        self.entered = np.zeros(len(cross))
        self._correlations = cross.copy()  # of each column with the residual that β leaves
        self._active: list[int] = []
        self._signs = np.zeros(len(cross))
        self._may_enter = gram.diagonal() > 0
        self._factor = np.zeros(gram.shape)  # lower Cholesky factor of the active columns' Gram
        self._last_penalty = _NEGLIGIBLE * self.penalty  # the path ends here
        if self.penalty:
            self._enter(int(np.abs(cross).argmax()))

    def advance(self) -> bool:
        """Go on to the next change; False once every column has entered or need not."""
        waiting = self._may_enter & (self.entered == 0)
        if self.penalty <= self._last_penalty or not waiting.any():
            return False
        step = self._step()
        slopes = self.gram @ step
        to_entry, to_drop = self._to_entry(slopes), self._to_drop(step)
        entry, drop = int(to_entry.argmin()), int(to_drop.argmin())
        length = min(to_entry[entry], to_drop[drop], self.penalty)
        self.beta += length * step
        self._correlations -= length * slopes
        self.penalty -= length
        if to_drop[drop] == length:
            self._drop(drop)
        elif to_entry[entry] == length:
            self._enter(entry)
        return True

    def _step(self) -> Array:
        """The change of β for which every active column's correlation falls as fast as λ."""
        count = len(self._active)
        factor = self._factor[:count, :count]
        half = solve_triangular(factor, self._signs[self._active], lower=True)
        step = np.zeros_like(self.beta)
        step[self._active] = solve_triangular(factor, half, lower=True, trans="T")
        return step

    def _to_entry(self, slopes: Array) -> Array:
        """By how much λ must fall until it equals the size of each column's correlation."""
        falls = np.full(len(slopes), np.inf)
        for sign in (1, -1):
            speed = 1 - sign * slopes
            # At lower speed a correlation falls as fast as λ or faster, and λ never catches up.
            meets = self._may_enter & (speed > _NEGLIGIBLE)
            gap = np.maximum(self.penalty - sign * self._correlations[meets], 0) / speed[meets]
            falls[meets] = np.minimum(falls[meets], gap)
        return falls

    def _to_drop(self, step: Array) -> Array:
        """By how much λ must fall until each coefficient is back at zero."""
        falls = np.full(len(step), np.inf)
        shrinking = self.beta * step < 0
        falls[shrinking] = -self.beta[shrinking] / step[shrinking]
        return falls

    def _enter(self, column: int) -> None:
        """Make a column active, unless the active columns span it."""
        self._may_enter[column] = False
        count, energy = len(self._active), self.gram[column, column]
        row = self.gram[column, self._active]
        if count:
            row = solve_triangular(self._factor[:count, :count], row, lower=True)
        unspanned = energy - row @ row
        if unspanned <= _SPANNED * energy:
            return
        self._factor[count, :count], self._factor[count, count] = row, np.sqrt(unspanned)
        self._signs[column] = np.sign(self._correlations[column])
        self._active.append(column)
        self.entered[column] = max(self.entered[column], self.penalty)

    def _drop(self, column: int) -> None:
        """Make a column inactive; columns that were spanned before may enter again."""
        self._active.remove(column)
        self.beta[column] = 0.0
        self._may_enter = self.gram.diagonal() > 0
        self._may_enter[self._active] = False
        count = len(self._active)
        active_gram = self.gram[np.ix_(self._active, self._active)]
        self._factor[:count, :count] = cholesky(active_gram, lower=True)
