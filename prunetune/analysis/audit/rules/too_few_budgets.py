"""Budgets: a frontier is a curve, and a curve needs points."""

from __future__ import annotations

from collections.abc import Iterator

from prunetune.analysis.audit.case import Case
from prunetune.analysis.audit.rule import Flaw, rule
from prunetune.analysis.format import plural

FRONTIER_BUDGETS = 4
"""Budgets from which arms are compared along the whole frontier."""


@rule(
    "amount",
    "note",
    reason="A single budget finds a real difference of 0.3 points in 10 % of sweeps with five "
    "seeds, the whole frontier in 86 % (simulated); 2003.03033 asks for five operating points.",
)
def too_few_budgets(case: Case) -> Iterator[Flaw]:
    """Fewer than four budgets at which arms are compared."""
    budgets = n_budgets(case)
    if 0 < budgets < FRONTIER_BUDGETS:
        yield Flaw(
            "note",
            f"Arms are compared at {plural(budgets, 'budget')}.",
            f"Add budgets: from {FRONTIER_BUDGETS} on, arms are compared over the whole frontier.",
        )


def n_budgets(case: Case) -> int:
    """The number of budgets at which at least two arms are compared."""
    return len({compared.studies[0].budget for compared in case.compared})
