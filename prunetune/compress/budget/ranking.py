"""Ranks all removable units, the first to be removed first, under any scope.

A scope divides the groups into pools. Within a pool, units are ranked by their scores. Across
pools, a unit is ranked by the share of its pool that is removed once this unit is, divided by the
pool's rate. So wherever down the ranking one stops, all pools have lost shares in proportion to
their rates:

    global, protected_global   one pool of all groups
    isomorphic                 a pool for each class of groups of alike layers (2407.04616)
    local                      a pool for each group
    per_group                  a pool for each group, at a rate of its own
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from prunetune.compress.budget.costs import CostPoint, CostTable
from prunetune.compress.graph.groups import Group, Member, is_depthwise

Scope = Literal["local", "global", "protected_global", "isomorphic", "per_group"]
CostAware = Literal["none", "divide", "subtract"]
Scores = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Step:
    """One unit of one group: an entry of the ranking."""

    group: int
    unit: int


@dataclass(frozen=True)
class Rule:
    """What ranks units beside their scores; every sequence has one entry per group."""

    dense_widths: Sequence[int]
    floors: Sequence[int]
    """The fewest units that stay."""
    pools: Sequence[Hashable]
    """The pool that the group is ranked in."""
    rates: Sequence[float]
    """Relative rates of removal, equal for all groups of a pool; 0: the group stays whole."""


def ranking(scores: Sequence[Scores], rule: Rule) -> list[Step]:
    """All removable units, the first to be removed first; ties by group, then by place in it.

    `scores` has the remaining units of each group. Units of earlier rounds count as removed.
    """
    sizes, n_removed = Counter[Hashable](), Counter[Hashable]()
    for pool, dense, score in zip(rule.pools, rule.dense_widths, scores, strict=True):
        sizes[pool] += dense
        n_removed[pool] += dense - len(score)
    units = sorted(
        (float(score[unit]), group, rank, int(unit))
        for group, (score, floor) in enumerate(zip(scores, rule.floors, strict=True))
        for rank, unit in enumerate(np.argsort(score, kind="stable")[: max(0, len(score) - floor)])
        if rule.rates[group]
    )
    keyed = []
    for _, group, rank, unit in units:
        pool = rule.pools[group]
        n_removed[pool] += 1
        keyed.append((n_removed[pool] / sizes[pool] / rule.rates[group], group, rank, unit))
    return [Step(group, unit) for _, group, _, unit in sorted(keyed)]


def rule_of(
    scope: Scope,
    model: nn.Module,
    groups: Sequence[Group],
    floor: float,
    removable: Collection[int] = (),
    ratios: Mapping[str, float] | None = None,
) -> Rule:
    """The rule of a scope for the groups of a dense network.

    Args:
        scope: how groups are pooled.
        model: the dense network.
        groups: its groups that may lose units.
        floor: the share of every group that stays; see `floors_of`.
        removable: the numbers of the groups that may lose all their units.
        ratios: the relative rates of scope per_group; see `rates_of`.
    """
    widths, names = [group.width for group in groups], [group.name for group in groups]
    return Rule(
        dense_widths=widths,
        floors=floors_of(scope, widths, floor, removable),
        pools=pools_of(scope, model, groups),
        rates=rates_of((ratios or {}) if scope == "per_group" else {}, names),
    )


def floors_of(
    scope: Scope, widths: Sequence[int], share: float, removable: Collection[int] = ()
) -> list[int]:
    """The fewest units that each group keeps: ⌈share · width⌉ if protected, else one.

    With share 0 the groups in `removable` may lose all units, in every scope.
    """
    if not share:
        return [0 if group in removable else 1 for group in range(len(widths))]
    if scope != "protected_global":
        return [1] * len(widths)
    return [max(1, math.ceil(round(share * width, 9))) for width in widths]


def pools_of(scope: Scope, model: nn.Module, groups: Sequence[Group]) -> list[Hashable]:
    """The pool of each group."""
    if scope == "isomorphic":
        return [structure(model, group) for group in groups]
    return [0 if scope in ("global", "protected_global") else i for i in range(len(groups))]


def structure(model: nn.Module, group: Group) -> Hashable:
    """The kinds, sides and kernel sizes of all members; equal for groups of alike layers."""
    return tuple(sorted(_kind(model.get_submodule(m.layer), m) for m in group.members))


def _kind(layer: nn.Module, member: Member) -> tuple[str, str, tuple[int, ...]]:
    if isinstance(layer, _ConvNd):
        name = "depthwise" if is_depthwise(layer) else f"conv/{layer.groups}"
        name = f"transposed {name}" if layer.transposed else name
        return name, member.side, tuple(layer.kernel_size)
    return "batch norm" if isinstance(layer, _BatchNorm) else type(layer).__name__, member.side, ()


def rates_of(ratios: Mapping[str, float], names: Sequence[str]) -> list[float]:
    """The rate of each group: that of the longest pattern that its name starts with, else 1.

    A pattern is a group's name or its first parts, with a slash for every dot.

    Raises:
        ValueError: no group's name starts with one of the patterns.
    """
    patterns = {pattern: pattern.replace("/", ".") + "." for pattern in ratios}
    for pattern, start in patterns.items():
        if not any(f"{name}.".startswith(start) for name in names):
            raise ValueError(
                f"ratios: no group's name starts with {pattern!r}; the groups are "
                + ", ".join(name.replace(".", "/") for name in names)
            )
    return [_rate(ratios, [p for p, s in patterns.items() if f"{n}.".startswith(s)]) for n in names]


def _rate(ratios: Mapping[str, float], matching: Sequence[str]) -> float:
    return ratios[max(matching, key=len)] if matching else 1.0


def macs_saved_per_unit(costs: CostTable) -> list[int]:
    """For each group the MACs that removing one unit saves, at the table's widths."""
    point = CostPoint(costs, costs.widths)
    return [-point.change(g, -1) if width else 0 for g, width in enumerate(costs.widths)]


def weigh_costs(
    scores: Sequence[Scores], costs: Sequence[int], how: CostAware, weight: float
) -> list[Scores]:
    """Scores that account for the MACs of a unit of each group (Theis et al., 1801.05787).

    Scores and costs are divided by their means over all units, so that neither the scale of a
    criterion nor the size of a network matters.

    Args:
        scores: the scores of each group's units.
        costs: the MACs that removing one unit of each group saves.
        how: divide scores by costs, or subtract costs from them.
        weight: the factor on costs that are subtracted.
    """
    if how == "none" or not sum(map(len, scores)):
        return list(scores)
    mean_score = float(np.concatenate(scores).mean())
    mean_cost = sum(c * len(s) for c, s in zip(costs, scores, strict=True)) / sum(map(len, scores))
    relative = [score / mean_score if mean_score > 0 else score for score in scores]
    relative_costs = [cost / mean_cost if mean_cost else 1.0 for cost in costs]
    pairs = zip(relative, relative_costs, strict=True)
    if how == "divide":
        return [score / cost if cost else np.full(len(score), np.inf) for score, cost in pairs]
    return [score - weight * cost for score, cost in pairs]
