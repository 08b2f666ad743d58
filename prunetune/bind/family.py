"""The family of comparisons: which arms are compared at which budget and matching."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from prunetune.plan import Comparison, Study, matchings_of


def comparison_family(
    studies: tuple[Study, ...], control: str | None = None
) -> Iterator[Comparison]:
    """All comparisons that the sweep will make: at each budget and matching, every pair of arms.

    With a `control` only the pairs that it is in: fewer comparisons detect smaller differences. An
    arm that inherits weights has no matching and takes part in the verdict of each matching. An arm
    without budgets is never compared.
    """
    for budget in dict.fromkeys(s.budget for s in studies if s.budget is not None):
        at_budget = [s for s in studies if s.budget == budget and s.replicate == 0]
        for matching in matchings_of(at_budget):
            arms = dict.fromkeys(s.arm for s in at_budget if s.matching in (matching, None))
            for a, b in combinations(arms, 2):
                if control in (None, a, b):
                    yield Comparison(budget=budget, matching=matching, a=a, b=b)
