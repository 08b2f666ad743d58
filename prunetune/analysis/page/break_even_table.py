"""The table of break-even factors, every cell as text."""

from __future__ import annotations

from dataclasses import dataclass

from prunetune.analysis.evidence.break_evens import BudgetBreakEven
from prunetune.analysis.format import count
from prunetune.analysis.page.view import PageView, budget_name


@dataclass(frozen=True)
class BreakEvenLine:
    """One pair of arms at one budget."""

    budget: str
    pair: str
    factor: str
    free_dense: str
    lengths: str
    """The lengths of training from scratch with the accuracy that each brought."""
    goal: str
    """The accuracy to be equalled."""


def break_even_lines(view: PageView) -> list[BreakEvenLine]:
    """A line for every pair and budget with three lengths of training from scratch."""
    return [
        BreakEvenLine(
            budget_name(found.budget),
            f"{found.scratch} against {found.inherits}",
            _factor(found),
            f"{found.free_dense:.2f}",
            ", ".join(
                f"{length.matching or 'all'}: {view.percent(length.acc1)} % for "
                f"{count(length.macs)}"
                for length in found.lengths
            ),
            f"{view.percent(found.inherits_acc1)} %",
        )
        for found in view.report.break_evens
    ]


def _factor(found: BudgetBreakEven) -> str:
    factor = found.factor
    if factor is None:
        return "none: longer training does not raise the accuracy"
    low = "0" if factor.low is None else f"{factor.low:.2f}"
    high = "no limit" if factor.high is None else f"{factor.high:.2f}"
    outside = ", beyond the lengths trained" if factor.extrapolated else ""
    return f"{factor.factor:.2f} [{low}, {high}]{outside}"
