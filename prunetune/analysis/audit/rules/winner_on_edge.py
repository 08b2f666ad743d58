"""Edges: a best value at the end of its range says that the range is too narrow."""

from __future__ import annotations

import math
from collections.abc import Iterator

from prunetune.analysis.audit.case import Case
from prunetune.analysis.audit.rule import Flaw, rule
from prunetune.analysis.format import plural
from prunetune.config.space.space import Dimension, Float, Int, describe_domain

_EDGE = 0.02
"""The share of a range, at either end, that counts as its edge."""
_FEWEST_VALUES = 5
"""A range of fewer whole numbers is a choice: its ends are ordinary values."""


@rule(
    "search",
    "warning",
    reason="If the best trial lies at the end of a range, the best value may lie beyond it, and "
    "the arm is judged by the range. An evenly drawn value lies there in 4 % of cases.",
)
def winner_on_edge(case: Case) -> Iterator[Flaw]:
    """Winners whose value of a searched parameter lies within 2 % of the end of its range."""
    edges: dict[tuple[str, str, str, str], list[tuple[str, str]]] = {}
    for study in case.plan.studies:
        winner = case.outcome(study).winner
        for dimension in study.space.dimensions if winner else ():
            end = _end(dimension, winner.config.get(dimension.path)) if winner else None
            if winner and end:
                domain = describe_domain(dimension.domain)
                place = (study.arm, dimension.path, end, domain)
                edges.setdefault(place, []).append((study.id, winner.key))
    for (arm, path, end, domain), winners in edges.items():
        yield Flaw(
            "warning",
            f"{plural(len(winners), 'winner')} of {arm} chose {path} at the {end} end of {domain}: "
            f"{', '.join(study for study, _ in winners)}.",
            "Widen the range and search again: another range makes a new sweep.",
            tuple(key for _, key in winners),
        )


def _end(dimension: Dimension, value: object) -> str | None:
    """Which end of its range a value lies at; None if at neither, or if the end is natural."""
    domain = dimension.domain
    if not isinstance(domain, Int | Float) or not isinstance(value, int | float):
        return None
    if isinstance(domain, Int) and (domain.high - domain.low) // domain.step + 1 < _FEWEST_VALUES:
        return None
    low, high, at = float(domain.low), float(domain.high), float(value)
    if domain.log:
        low, high, at = math.log(low), math.log(high), math.log(at)
    if high <= low:
        return None
    share = (at - low) / (high - low)
    if share > 1 - _EDGE:
        return "upper"
    natural = domain.low == 0  # nothing below zero is ever allowed
    return "lower" if share < _EDGE and not natural else None
