"""The family of comparisons: which arms are compared at which budget and matching."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations

from prunetune.plan import Comparison, Study, matchings_of

Pairing = tuple[str | None, str, str]
"""Matching and the names of two arms."""


def comparison_family(
    studies: tuple[Study, ...], control: str | None = None
) -> Iterator[Comparison]:
    """All comparisons that the sweep will make: at each budget and matching, every pair of arms.

    With a `control` only the pairs that it is in: fewer comparisons detect smaller differences. An
    arm that inherits weights has no matching and takes part in the verdict of each matching. Two
    such arms are compared once, with matching None: the comparison is the same under each. An arm
    without budgets is never compared.
    """
    for budget in dict.fromkeys(s.budget for s in studies if s.budget is not None):
        at_budget = [s for s in studies if s.budget == budget and s.replicate == 0]
        for matching, a, b in pairs_of_arms(at_budget, control):
            yield Comparison(budget=budget, matching=matching, a=a, b=b)


def pairs_of_arms(
    studies: list[Study], control: str | None = None
) -> Mapping[Pairing, tuple[list[Study], list[Study]]]:
    """Each pair of arms with the studies of both; matching None where no study of them has one."""
    pairs: dict[Pairing, tuple[list[Study], list[Study]]] = {}
    for matching in matchings_of(studies):
        arms: dict[str, list[Study]] = {}
        for study in studies:
            if study.matching in (matching, None):
                arms.setdefault(study.arm, []).append(study)
        for a, b in combinations(arms, 2):
            if control in (None, a, b):
                matched = any(s.matching for s in (*arms[a], *arms[b]))
                pairs[matching if matched else None, a, b] = (arms[a], arms[b])
    return pairs
