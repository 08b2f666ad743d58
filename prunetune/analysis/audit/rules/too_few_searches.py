"""Searches: without several of them, a verdict is about the recipes that one search found."""

from __future__ import annotations

from collections.abc import Iterator

from prunetune.analysis.audit.case import Case
from prunetune.analysis.audit.rule import Flaw, rule
from prunetune.analysis.audit.rules.too_few_budgets import FRONTIER_BUDGETS, n_budgets
from prunetune.analysis.audit.rules.too_few_seeds import LEAST_RESULTS
from prunetune.analysis.format import plural


@rule(
    "amount",
    "warning",
    reason="Seeds of one search are not independent results of the arm: with one search and five "
    "seeds, identical arms differ somewhere in 55 % of simulated sweeps. Several budgets replace "
    "several searches, since every budget has a search of its own.",
)
def too_few_searches(case: Case) -> Iterator[Flaw]:
    """Arms that are searched fewer than three times, at fewer than four budgets."""
    plan = case.plan
    searched = any(len(compared.searching()) > 0 for compared in case.compared)
    budgets = n_budgets(case)
    if searched and plan.replicates < LEAST_RESULTS and budgets < FRONTIER_BUDGETS:
        yield Flaw(
            "warning",
            f"With {plural(plan.replicates, 'search')} a study and {plural(budgets, 'budget')}, "
            "nothing can be said of arms, only of the recipes found.",
            f"Raise search.replicates to {LEAST_RESULTS}, or compare the arms at "
            f"{FRONTIER_BUDGETS} budgets or more.",
        )
