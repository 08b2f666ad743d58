"""Which units to remove, so that the budget is met to the tolerance.

Units are removed down one ranking of them all until the MACs fit. A prefix of the ranking may
overshoot, by up to one unit of a residual stream; then the smaller of two repairs follows, or,
where both fail, an earlier unit is skipped. In every group the units kept are its best, and never
fewer than its floor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from prunetune.compress.budget.costs import CostPoint, CostTable
from prunetune.compress.budget.ranking import Step
from prunetune.compress.method import Infeasible

Repair = Literal["none", "give back", "skip"]
REPAIRS: tuple[Repair, ...] = get_args(Repair)
SKIPS = 40
"""How many units before the overshooting one are tried as the one to leave out."""


@dataclass(frozen=True)
class Selection:
    """The units to remove and how far they depart from the ranking."""

    removed: tuple[tuple[int, ...], ...]
    """Units of each group, ascending."""
    macs: int
    repair: Repair = "none"
    n_departures: int = 0
    """Units given back, or groups whose next unit was skipped."""


def select(
    steps: Sequence[Step], costs: CostTable, at_most: int, at_least: float = 0.0
) -> Selection:
    """Units down the ranking `steps`, such that MACs lie in [at_least, at_most].

    Raises:
        Infeasible: the floors forbid it (nearest: the MACs at the floors, above `at_most`), or the
            units are too coarse (nearest: the most MACs up to `at_most` that were found).
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
        for start in range(count, max(0, count - SKIPS), -1)
    )
    repaired = [given_back, next(skipped)]
    within = [s for s in repaired if s and s.macs >= at_least] or [s for s in skipped if s][:1]
    if within:
        return min(within, key=lambda selection: selection.n_departures)
    raise Infeasible.too_coarse("channels", given_back.macs, at_most, at_least)


def _give_back(
    steps: Sequence[Step], count: int, costs: CostTable, at_most: int, at_least: float
) -> Selection:
    """Put the best of the removed units back while they fit, until the tolerance is met.

    A unit that does not fit never will (its cost grows with what comes back), nor will worse ones
    of its group, which cost the same: what a group keeps stays its best.
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
    """Leave out the unit at place `start` - 1, go on down the ranking past all that overshoot.

    A group whose next unit is left out is done: worse units have gone, better ones must stay. None
    if the ranking ends before the MACs fit; what is returned is within tolerance.
    """
    point, taken = _removed(steps, start - 1, costs)
    done = {steps[start - 1].group}
    for i in range(start, len(steps)):
        group = steps[i].group
        if point.macs <= at_most:
            break
        if group in done:
            continue
        if point.macs + point.change(group, -1) < at_least:
            done.add(group)
            continue
        point.move(group, -1)
        taken.add(i)
    if point.macs > at_most:
        return None
    return _selection(steps, taken, costs, "skip", len(done))


def _removed(steps: Sequence[Step], count: int, costs: CostTable) -> tuple[CostPoint, set[int]]:
    point = CostPoint(costs, costs.widths)
    for step in steps[:count]:
        point.move(step.group, -1)
    return point, set(range(count))


def _selection(
    steps: Sequence[Step],
    taken: set[int],
    costs: CostTable,
    repair: Repair,
    departures: int,
) -> Selection:
    removed: list[list[int]] = [[] for _ in costs.widths]
    for i in taken:
        removed[steps[i].group].append(steps[i].unit)
    widths = [width - len(units) for width, units in zip(costs.widths, removed, strict=True)]
    return Selection(
        tuple(tuple(sorted(units)) for units in removed), costs.macs(widths), repair, departures
    )
