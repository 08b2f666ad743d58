"""The LASSO path from a Gram matrix, by least angle regression (Efron et al., math/0406456)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.linalg import cholesky, solve_triangular

Array = npt.NDArray[np.float64]

DEPENDENT = 1e-10
"""A column of whose energy the active ones leave less than this share is spanned by them."""
SMALLEST = 1e-12
"""Share of the largest penalty at which a path ends."""
TURNS = 8
"""Steps per column after which a path that goes round in circles is given up."""


def entries(gram: Array, cross: Array) -> Array:
    """For each column the largest penalty λ at which its coefficient is not zero; 0 if it never is.

    Of min over β of ½ βᵀ G β - cᵀ β + λ ‖β‖₁ with G = `gram` (positive semi-definite, singular or
    not) and c = `cross`. Between columns that span each other β is not unique: the first to enter
    stays, and those that the active ones span need not enter.
    """
    path = LassoPath(gram, cross)
    for _ in range(TURNS * len(cross)):
        if not path.advance():
            break
    return path.entered


class LassoPath:
    """A place on the path: between two changes of the active columns β is linear in λ."""

    def __init__(self, gram: Array, cross: Array) -> None:
        self.gram = gram
        self.penalty = float(np.abs(cross).max(initial=0.0))
        self.beta = np.zeros(len(cross))
        self.entered = np.zeros(len(cross))
        self._left = cross.copy()  # correlation of each column with what β leaves
        self._active: list[int] = []
        self._signs = np.zeros(len(cross))
        self._open = gram.diagonal() > 0  # columns that may enter next
        self._factor = np.zeros(gram.shape)  # lower Cholesky factor of the active columns' Gram
        self._smallest = SMALLEST * self.penalty
        if self.penalty:
            self._enter(int(np.abs(cross).argmax()))

    def advance(self) -> bool:
        """Go on to the next change; False where every column has entered or need not."""
        if self.penalty <= self._smallest or not (self._open & (self.entered == 0)).any():
            return False
        step = self._step()
        slopes = self.gram @ step
        to_entry, to_drop = self._to_entry(slopes), self._to_drop(step)
        entry, drop = int(to_entry.argmin()), int(to_drop.argmin())
        length = min(to_entry[entry], to_drop[drop], self.penalty)
        self.beta += length * step
        self._left -= length * slopes
        self.penalty -= length
        if to_drop[drop] == length:
            self._drop(drop)
        elif to_entry[entry] == length:
            self._enter(entry)
        return True

    def _step(self) -> Array:
        """The change of β by which every active column's correlation falls as λ does."""
        count = len(self._active)
        factor = self._factor[:count, :count]
        half = solve_triangular(factor, self._signs[self._active], lower=True)
        step = np.zeros_like(self.beta)
        step[self._active] = solve_triangular(factor, half, lower=True, trans="T")
        return step

    def _to_entry(self, slopes: Array) -> Array:
        """By how much λ may fall until each column's correlation has its size."""
        found = np.full(len(slopes), np.inf)
        for sign in (1, -1):
            speed = 1 - sign * slopes
            may = self._open & (speed > SMALLEST)  # others keep behind λ, or side by side with it
            gap = np.maximum(self.penalty - sign * self._left[may], 0) / speed[may]
            found[may] = np.minimum(found[may], gap)
        return found

    def _to_drop(self, step: Array) -> Array:
        """By how much λ may fall until each coefficient is back at zero."""
        found = np.full(len(step), np.inf)
        back = self.beta * step < 0
        found[back] = -self.beta[back] / step[back]
        return found

    def _enter(self, column: int) -> None:
        self._open[column] = False
        count, energy = len(self._active), self.gram[column, column]
        row = self.gram[column, self._active]
        if count:
            row = solve_triangular(self._factor[:count, :count], row, lower=True)
        left = energy - row @ row
        if left <= DEPENDENT * energy:
            return
        self._factor[count, :count], self._factor[count, count] = row, np.sqrt(left)
        self._signs[column] = np.sign(self._left[column])
        self._active.append(column)
        self.entered[column] = max(self.entered[column], self.penalty)

    def _drop(self, column: int) -> None:
        """Columns that were spanned before may not be any more."""
        self._active.remove(column)
        self.beta[column] = 0.0
        self._open = self.gram.diagonal() > 0
        self._open[self._active] = False
        count = len(self._active)
        rest = self.gram[np.ix_(self._active, self._active)]
        self._factor[:count, :count] = cholesky(rest, lower=True)
