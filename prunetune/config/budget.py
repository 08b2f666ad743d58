"""Reads a budget as the sweep file writes it, and turns it into target MACs of a dense network.

`0.5` is a share of the dense MACs, `2.11x` a speed-up, `63M` (or k, G) an absolute number of MACs,
and `{sparsity: 0.9}` a share of the weights that is zero. Amounts are exact fractions of the
written decimals, so that rounding down has one answer on every machine.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, NamedTuple

from prunetune.config.budget_hints import budget_meant
from prunetune.config.problems.errors import MeantError, Problems, YamlPath

BUDGET_FORMS = "a share of the dense MACs (0.5), a speed-up (2.11x), MACs (63M) or {sparsity: 0.9}"

BudgetKind = Literal["macs", "sparsity"]
"""The quantity that a budget limits: shares, speed-ups and MACs all limit MACs."""
RecordedBudget = float | str | None
"""A budget as JSON in plans, records and reports.

A share of the dense MACs rounded to 6 digits, or text such as `"sparsity=0.9"`; None stands for the
dense network and for arms without budgets. Only this module tells these forms apart.
"""

_UNITS = {"x": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9}
_DECIMAL = re.compile(r"[-+]?([0-9]{1,18}(\.[0-9]{0,24})?|\.[0-9]{1,24})(e[-+]?[0-9]{1,2})?")


@dataclass(frozen=True)
class Budget:
    """A written budget, before the dense network is known; a speed-up counts as a share."""

    kind: Literal["share", "macs", "sparsity"]
    amount: Fraction

    def __str__(self) -> str:
        if self.kind == "macs":
            return f"{int(self.amount):,} MACs"
        share = f"{round(float(self.amount), 6):g}"
        return share if self.kind == "share" else f"sparsity={share}"

    def same(self, other: Budget) -> bool:
        """Whether both mean the same budget, to the 6 digits that records keep."""
        return self.kind == other.kind and round(self.amount, 6) == round(other.amount, 6)

    def comparable(self, other: Budget) -> bool:
        """Whether `same` is certain although the dense MACs are unknown."""
        return self.kind == other.kind or "sparsity" in (self.kind, other.kind)

    def recorded(self, dense_macs: int) -> float | str:
        """The budget as records state it: a share to 6 digits, or `"sparsity=0.9"`."""
        if self.kind == "sparsity":
            return str(self)
        return round(float(self.amount / (dense_macs if self.kind == "macs" else 1)), 6)


class ResolvedBudget(NamedTuple):
    """A budget of a known dense network."""

    budget: RecordedBudget
    target_macs: int
    """Sparsity budgets have the dense MACs, since masks remove none."""


def read_budget(written: Any) -> Budget:
    """The budget that a file states as a number, as text or as `{sparsity: s}`.

    The text of a number counts as the number, because the keys of `by_budget` are text.

    Raises:
        MeantError: `written` is not a budget; the message says what may have been meant.
    """
    try:
        return _read(written)
    except ValueError as error:
        raise MeantError(str(error), meant=budget_meant(written)) from error


def _read(written: Any) -> Budget:
    if isinstance(written, Mapping) and set(written) == {"sparsity"}:
        return _share("sparsity", _exact(written["sparsity"]))
    if isinstance(written, str) and written.startswith("sparsity="):
        return _share("sparsity", _exact(written.removeprefix("sparsity=")))
    if not isinstance(written, str) or written[-1:] not in _UNITS:
        return _share("share", _exact(written))
    amount, unit = _exact(written[:-1].rstrip()), written[-1]
    if unit != "x":
        return _macs(amount * _UNITS[unit])
    if amount <= 1:
        raise ValueError("a speed-up must be above 1x")
    return _share("share", 1 / amount)


def _exact(number: Any) -> Fraction:
    """The written decimal as a fraction."""
    text = number if isinstance(number, str) else str(number)
    if isinstance(number, bool) or not _DECIMAL.fullmatch(text):  # half, nan, null, 1/2
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


def resolve(written: Any, dense_macs: int) -> ResolvedBudget:
    """The recorded form and the target MACs of a written budget.

    Raises:
        MeantError: `written` is not a budget of a network with so many MACs.
    """
    budget = read_budget(written)
    recorded = budget.recorded(dense_macs)
    if isinstance(recorded, str):
        return ResolvedBudget(recorded, dense_macs)
    target = math.floor(budget.amount * (dense_macs if budget.kind == "share" else 1))
    if not 0 < recorded < 1 or target < 1:
        raise MeantError(f"out of range, the dense network has {dense_macs:,} MACs")
    return ResolvedBudget(recorded, target)


def resolve_all(
    budgets: Sequence[Any], dense_macs: int, problems: Problems, path: YamlPath = ("budgets",)
) -> tuple[ResolvedBudget, ...]:
    """Every written budget resolved, each once.

    Values that are not budgets, and second spellings of a budget, become problems.
    """
    resolved: dict[RecordedBudget, ResolvedBudget] = {}
    spelling: dict[RecordedBudget, Any] = {}
    for i, written in enumerate(budgets):
        try:
            budget = resolve(written, dense_macs)
        except MeantError as error:
            problems.add(
                (*path, i), error.message, value=written, allowed=BUDGET_FORMS, meant=error.meant
            )
            continue
        if budget.budget in resolved:
            refuse_second_spelling(written, spelling[budget.budget], (*path, i), problems)
        else:
            resolved[budget.budget], spelling[budget.budget] = budget, written
    return tuple(resolved.values())


def refuse_second_spelling(written: Any, first: Any, path: YamlPath, problems: Problems) -> None:
    """Note that `written` means the same budget as `first`, which stands above it."""
    problems.add(path, f"the same budget as {first!r}", value=written)


def index_of_budget(budget: RecordedBudget, budgets: Sequence[Any], dense_macs: int) -> int:
    """The index of a recorded budget among the written budgets of a file."""
    recorded: list[RecordedBudget] = [read_budget(b).recorded(dense_macs) for b in budgets]
    return recorded.index(budget)


def kind_of_budget(budget: RecordedBudget) -> BudgetKind | None:
    """What a recorded budget limits; None where there is no budget."""
    if budget is None:
        return None
    return "sparsity" if isinstance(budget, str) else "macs"


def sparsity_of(budget: RecordedBudget) -> Fraction | None:
    """The share of weights that is zero under a recorded budget; None for any other budget."""
    return read_budget(budget).amount if kind_of_budget(budget) == "sparsity" else None


def budget_words(budget: RecordedBudget) -> str:
    """A recorded budget as a reader sees it: `25 % of the dense MACs`, `90 % sparsity`."""
    sparsity = sparsity_of(budget)
    if sparsity is not None:
        return f"{float(100 * sparsity):g} % sparsity"
    return "no budget" if budget is None else f"{100 * float(budget):g} % of the dense MACs"
