"""The configurations of an arm that are tried to learn whether it can meet a budget."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

from prunetune.config.space.space import (
    Choice,
    Config,
    Constant,
    Dimension,
    Float,
    Int,
    Space,
    any_value,
)

DECISIVE = ("method.scope", "method.floor", "method.criterion", "method.by", "method.cost_aware")
"""Choices whose every option is tried, because each may change which budgets can be met. Of a range
of numbers on these paths only the low end is tried."""
RATIOS = "method.ratios."
"""Of a range under this prefix only the largest rate is tried: rates are relative to each other,
and a rate of 0 would mean 'never prune this group'."""
PROFILE = "method.profile."
"""Of a range under this prefix both ends are tried, of a choice every option."""


def variants(space: Space) -> Iterator[Config]:
    """One configuration for every combination of the decisive values; others are arbitrary."""
    tried = {d.path: _tried_values(d) for d in space.dimensions if d.searched}
    options = {path: values for path, values in tried.items() if values}
    for values in product(*options.values()):
        chosen = dict(zip(options, values, strict=True))
        yield space.draw(lambda d, chosen=chosen: chosen.get(d.path, any_value(d.domain)))  # type: ignore[misc]


def _tried_values(dimension: Dimension) -> tuple[Any, ...]:
    """The values of a dimension that are tried; empty where the dimension is not decisive."""
    path, domain = dimension.path, dimension.domain
    if isinstance(domain, Choice) and (path in DECISIVE or path.startswith(PROFILE)):
        return domain.options
    if isinstance(domain, Int | Float) and path.startswith(PROFILE):
        return (domain.low, domain.high)
    if path.startswith(RATIOS) and not isinstance(domain, Constant):
        return (max(domain.options) if isinstance(domain, Choice) else domain.high,)
    return ()
