"""Chooses the units to remove, so that the MACs lie within tolerance of the budget.

Units are removed down one ranking until the MACs fit. The last one may overshoot the tolerance,
because a single unit of a residual stream touches many layers. Then the smaller of two repairs is
made: the best removed units are given back, or the overshooting unit is skipped for units further
down. If both fail, units before the overshooting one are tried as the skipped one. Whatever the
repair, every group keeps its best units, and never fewer than its floor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from prunetune.compress.budget.costs import CostPoint, CostTable
from prunetune.compress.budget.ranking import Step
from prunetune.compress.method import Infeasible

Repair = Literal["none", "give back", "skip", "exchange"]
REPAIRS: tuple[Repair, ...] = get_args(Repair)
_MAX_SKIPS = 40
"""How many units, the overshooting one and those before it, are tried as the skipped one."""


@dataclass(frozen=True)
class Selection:
    """The units to remove, and how far they depart from the ranking."""

    removed: tuple[tuple[int, ...], ...]
    """The units of each group, ascending."""
    macs: int
    repair: Repair = "none"
    n_departures: int = 0
    """Units that were given back, groups whose next unit was skipped, or moves of an exchange."""


def select(
    steps: Sequence[Step], costs: CostTable, at_most: int, at_least: float = 0.0
) -> Selection:
    """The units to remove, down the ranking `steps`, so that MACs lie in [at_least, at_most].

    Raises:
        Infeasible: the floors keep too many units (nearest: the MACs at the floors), or units are
            too coarse (nearest: the most MACs up to `at_most` that were found).
    """
    point = CostPoint(costs, costs.widths)
    count = 0
    while point.macs > at_most and count < len(steps):
        point.move(steps[count].group, -1)
        count += 1
    if point.macs > at_most:
        raise Infeasible.too_large(point.macs, at_most)
    taken = set(range(count))
    if point.macs >= at_least or not count:
        return _selection(steps, taken, costs, "none", 0)
    given_back = _give_back(steps, count, costs, at_most, at_least)
    skipped = (
        _skip(steps, start, costs, at_most, at_least)
        for start in range(count, max(0, count - _MAX_SKIPS), -1)
    )
    repaired = [given_back, next(skipped)]
    within = [s for s in repaired if s and s.macs >= at_least] or [s for s in skipped if s][:1]
    if within:
        return min(within, key=lambda selection: selection.n_departures)
    raise Infeasible.too_coarse("channels", given_back.macs, at_most, at_least)


def _give_back(
    steps: Sequence[Step], count: int, costs: CostTable, at_most: int, at_least: float
) -> Selection:
    """Give back removed units that fit, the best first, until the tolerance is met.

    One pass is enough: a unit that does not fit never will, because its MACs grow with every unit
    that is given back. The worse units of its group have the same MACs, so they do not fit either,
    and every group keeps its best units.
    """
    point, taken = _removed(steps, count, costs)
    for i in reversed(range(count)):
        if point.macs >= at_least:
            break
        if point.macs + point.change(steps[i].group, 1) <= at_most:
            point.move(steps[i].group, 1)
            taken.remove(i)
    return _selection(steps, taken, costs, "give back", count - len(taken))


def _skip(
    steps: Sequence[Step], start: int, costs: CostTable, at_most: int, at_least: float
) -> Selection | None:
    """Skip the unit at place `start` - 1, then go down the ranking past all units that overshoot.

    After a skip its group is closed: the units that follow in this group are better than the
    skipped one, so they must stay. The selection is within tolerance; None if the ranking ends
    before the MACs fit.
    """
    point, taken = _removed(steps, start - 1, costs)
    closed = {steps[start - 1].group}
    for i in range(start, len(steps)):
        group = steps[i].group
        if point.macs <= at_most:
            break
        if group in closed:
            continue
        if point.macs + point.change(group, -1) < at_least:
            closed.add(group)
            continue
        point.move(group, -1)
        taken.add(i)
    if point.macs > at_most:
        return None
    return _selection(steps, taken, costs, "skip", len(closed))


def _removed(steps: Sequence[Step], count: int, costs: CostTable) -> tuple[CostPoint, set[int]]:
    """The network without the first `count` units of the ranking, and their places."""
    point = CostPoint(costs, costs.widths)
    for step in steps[:count]:
        point.move(step.group, -1)
    return point, set(range(count))


def _selection(
    steps: Sequence[Step],
    taken: set[int],
    costs: CostTable,
    repair: Repair,
    n_departures: int,
) -> Selection:
    removed: list[list[int]] = [[] for _ in costs.widths]
    for i in taken:
        removed[steps[i].group].append(steps[i].unit)
    widths = [width - len(units) for width, units in zip(costs.widths, removed, strict=True)]
    return Selection(
        tuple(tuple(sorted(units)) for units in removed), costs.macs(widths), repair, n_departures
    )
