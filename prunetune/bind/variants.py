"""Which configurations of an arm are tried, to know whether it can reach a budget."""

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

BINDING = ("method.scope", "method.floor", "method.criterion", "method.by", "method.cost_aware")
"""What decides, beside the budget, whether a method can reach it; of other ranges than choices the
low end is tried."""
RATIOS = "method.ratios."
"""Of rates below it the highest is tried: they are relative, and 0 is never."""
PROFILE = "method.profile."
"""Ranges below it decide too; both their ends are tried."""


def variants(space: Space) -> Iterator[Config]:
    """A configuration for every choice of what decides whether a budget can be reached."""
    decisive = {d.path: _options(d) for d in space.dimensions if d.searched}
    options = {path: some for path, some in decisive.items() if some}
    for values in product(*options.values()):
        chosen = dict(zip(options, values, strict=True))
        yield space.draw(lambda d, chosen=chosen: chosen.get(d.path, any_value(d.domain)))  # type: ignore[misc]


def _options(dimension: Dimension) -> tuple[Any, ...]:
    """The values to be tried of a dimension; none where it decides nothing."""
    path, domain = dimension.path, dimension.domain
    if isinstance(domain, Choice) and (path in BINDING or path.startswith(PROFILE)):
        return domain.options
    if isinstance(domain, Int | Float) and path.startswith(PROFILE):
        return (domain.low, domain.high)
    if path.startswith(RATIOS) and not isinstance(domain, Constant):
        return (max(domain.options) if isinstance(domain, Choice) else domain.high,)
    return ()
