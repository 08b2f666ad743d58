"""A budget as it is written, and what it means for a dense network.

`0.5` is a share of the dense MACs, `2.11x` a speed-up, `63M` (or k, G) MACs themselves, and
`{sparsity: 0.9}` a share of weights that are zero. Amounts are exact fractions of the decimals that
were written, so that floors are well defined.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from prunetune.config.problems.errors import Problems, YamlPath

FORMS = "a share of the dense MACs (0.5), a speed-up (2.11x), MACs (63M) or {sparsity: 0.9}"

_UNITS = {"x": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9}
_DECIMAL = re.compile(r"[-+]?([0-9]{1,18}(\.[0-9]{0,24})?|\.[0-9]{1,24})(e[-+]?[0-9]{1,2})?")


@dataclass(frozen=True)
class Budget:
    """A budget before the dense network is known: a share (speed-ups too), MACs or a sparsity."""

    kind: Literal["share", "macs", "sparsity"]
    amount: Fraction

    def __str__(self) -> str:
        if self.kind == "macs":
            return f"{int(self.amount):,} MACs"
        share = f"{round(float(self.amount), 6):g}"
        return share if self.kind == "share" else f"sparsity={share}"

    def same(self, other: Budget) -> bool:
        """Whether both mean one budget, to the 6 digits that records keep."""
        return self.kind == other.kind and round(self.amount, 6) == round(other.amount, 6)

    def recorded(self, dense_macs: int) -> float | str:
        """The budget as records state it: a share to 6 digits, or `"sparsity=0.9"`."""
        if self.kind == "sparsity":
            return str(self)
        return round(float(self.amount / (dense_macs if self.kind == "macs" else 1)), 6)

    def comparable(self, other: Budget) -> bool:
        """Whether the two can be told apart without the dense network."""
        return self.kind == other.kind or "sparsity" in (self.kind, other.kind)


def read_budget(written: Any) -> Budget:
    """`written` (in a file: a number, text or {sparsity: s}) understood; ValueError if it is none.

    The text of a number is read as the number, since keys of `by_budget` are text.
    """
    if isinstance(written, Mapping) and set(written) == {"sparsity"}:
        return _share("sparsity", _number(written["sparsity"]))
    if isinstance(written, str) and written.startswith("sparsity="):
        return _share("sparsity", _number(written.removeprefix("sparsity=")))
    if not isinstance(written, str) or written[-1:] not in _UNITS:
        return _share("share", _number(written))
    amount, unit = _number(written[:-1].rstrip()), written[-1]
    if unit != "x":
        return _macs(amount * _UNITS[unit])
    if amount <= 1:
        raise ValueError("a speed-up must be above 1x")
    return _share("share", 1 / amount)


def _number(number: Any) -> Fraction:
    """The decimal that was written, exactly."""
    text = number if isinstance(number, str) else str(number)
    if isinstance(number, bool) or not _DECIMAL.fullmatch(text):  # half, nan, null, -0.5
        raise ValueError("not a budget")
    return Fraction(text)


def _share(kind: Literal["share", "sparsity"], amount: Fraction) -> Budget:
    if not 0 < round(amount, 6) < 1:
        raise ValueError(f"a {kind} must lie between 0 and 1, to six digits")
    return Budget(kind, amount)


def _macs(amount: Fraction) -> Budget:
    if amount < 1:
        raise ValueError("MACs must be at least 1")
    return Budget("macs", Fraction(math.floor(amount)))


def resolve(written: Any, dense_macs: int) -> tuple[float | str, int]:
    """(budget as in records, target MACs) of a budget as written.

    The budget is the share of the dense MACs to 6 digits, or `"sparsity=0.9"`, whose target is the
    dense MACs: masks remove none. ValueError if it is no budget of this network.
    """
    budget = read_budget(written)
    recorded = budget.recorded(dense_macs)
    if isinstance(recorded, str):
        return recorded, dense_macs
    target = math.floor(budget.amount * (dense_macs if budget.kind == "share" else 1))
    if not 0 < recorded < 1 or target < 1:
        raise ValueError(f"out of range, the dense network has {dense_macs:,} MACs")
    return recorded, target


def kind_of_budget(budget: float | str) -> Literal["macs", "sparsity"]:
    """What a budget as in records bounds: shares, speed-ups and MACs all bound MACs."""
    return "sparsity" if isinstance(budget, str) else "macs"


def sparsity_of(budget: float | str | None) -> Fraction | None:
    """The share of weights that are zero, of a budget as in records; None of any other budget."""
    return read_budget(budget).amount if isinstance(budget, str) else None


def place_of(budget: float | str, budgets: Sequence[Any], dense_macs: int) -> int:
    """Where among the budgets of a file, as written, the one recorded as `budget` stands."""
    recorded = [read_budget(written).recorded(dense_macs) for written in budgets]
    return recorded.index(budget)


def resolve_all(
    budgets: Sequence[Any], dense_macs: int, problems: Problems, path: YamlPath = ("budgets",)
) -> tuple[tuple[float | str, int], ...]:
    """Every budget resolved, each once; what is none and second spellings become problems."""
    found: dict[float | str, tuple[int, Any]] = {}
    for i, written in enumerate(budgets):
        try:
            budget, target = resolve(written, dense_macs)
        except ValueError as error:
            problems.add((*path, i), str(error), value=written, allowed=FORMS)
            continue
        if budget in found:
            problems.add((*path, i), f"the same budget as {found[budget][1]!r}", value=written)
        else:
            found[budget] = (target, written)
    return tuple((budget, target) for budget, (target, _) in found.items())
