"""Widths that are multiples of a number which hardware likes, within tolerance of a budget.

A group of coupled channels has a ladder of widths: its own, the multiples below it, and every width
below the smallest multiple, since a group that narrow has nothing to gain from rounding. The ladder
is coarse: going down one ranking ends far below a budget more often than with single channels. Then
a few groups are moved up or down one rung, as few as a beam search finds.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Collection, Sequence
from fractions import Fraction

from prunetune.compress.budget.costs import CostPoint, CostTable
from prunetune.compress.budget.ranking import Step
from prunetune.compress.budget.select import Repair, Selection
from prunetune.compress.graph.groups import Group
from prunetune.compress.method import Infeasible

Ladder = tuple[int, ...]
"""The widths that a group may have, ascending."""
_BEAM, _MOST_MOVES = 40, 8
"""Networks that are kept after each move of the search, and its longest sequence of moves."""


def ladder(width: int, multiple: int, fewest: int = 1) -> Ladder:
    """The widths from `fewest` to `width`: itself, multiples, and all below the first multiple."""
    small = range(fewest, min(multiple, width))
    return tuple(dict.fromkeys([*small, *_multiples(multiple, fewest, width), width]))


def rounded(width: Fraction, multiple: int) -> int:
    """The nearest multiple, or the nearest integer below the first one; at least one."""
    if width <= multiple:
        return max(1, int(width + Fraction(1, 2)))
    return multiple * int(width / multiple + Fraction(1, 2))


def multiples_of(number: int, groups: Sequence[Group]) -> list[int]:
    """For each group the number of units whose channels are a multiple of `number`."""
    per_unit = [int(group.members[0].index.shape[1]) for group in groups]
    return [number // math.gcd(number, channels) for channels in per_unit]


def select_rounded(
    steps: Sequence[Step],
    costs: CostTable,
    multiples: Sequence[int],
    at_most: int,
    at_least: float = 0.0,
) -> Selection:
    """`select`, with the width of each group on its ladder.

    Units leave in the order of the ranking, as many at once as the next rung is away; such a block
    is ranked by the mean place of its units. Every group keeps its best units.

    Args:
        steps: the ranking.
        costs: the costs, at the widths before.
        multiples: the number whose multiples each group's width may be.
        at_most: the most MACs.
        at_least: the fewest MACs.

    Raises:
        Infeasible: the floors keep too many units, or no few moves lead within tolerance.
    """
    places: list[list[int]] = [[] for _ in costs.widths]
    for place, step in enumerate(steps):
        places[step.group].append(place)
    ladders = [
        ladder(width, multiple, width - len(own))
        for width, multiple, own in zip(costs.widths, multiples, places, strict=True)
    ]
    point = CostPoint(costs, costs.widths)
    for _, group, width in _blocks(costs.widths, places, ladders):
        if point.macs <= at_most:
            break
        point.move(group, width - point.widths[group])
    if point.macs > at_most:
        raise Infeasible.too_large(point.macs, at_most)
    widths, moves = point.widths, 0
    if point.macs < at_least and tuple(widths) != tuple(costs.widths):
        widths, moves = approach(costs, widths, ladders, range(len(widths)), at_most, at_least)
    removed: list[tuple[int, ...]] = []
    for before, after, own in zip(costs.widths, widths, places, strict=True):
        removed.append(tuple(sorted(steps[place].unit for place in own[: before - after])))
    repair: Repair = "exchange" if moves else "none"
    return Selection(tuple(removed), costs.macs(widths), repair, moves)


def approach(
    costs: CostTable,
    widths: Sequence[int],
    ladders: Sequence[Ladder],
    movable: Collection[int],
    at_most: int,
    at_least: float,
) -> tuple[list[int], int]:
    """The fewest moves of one rung of one group each that lead to MACs in [at_least, at_most].

    Args:
        costs: what widths cost.
        widths: where the search begins.
        ladders: the widths that each group may have.
        movable: the numbers of the groups that may change.
        at_most: the most MACs.
        at_least: the fewest MACs.

    Returns:
        The widths, and the number of moves.

    Raises:
        Infeasible: the search found nothing; nearest: the most MACs up to `at_most` that it saw.
    """
    middle = (at_most + at_least) / 2
    beam, seen, nearest = [tuple(widths)], {tuple(widths)}, 0
    for moves in range(1, _MOST_MOVES + 1):
        reached: list[tuple[float, tuple[int, ...]]] = []
        for start in beam:
            point = CostPoint(costs, start)
            for group in movable:
                for width in _neighbours(ladders[group], start[group]):
                    changed = (*start[:group], width, *start[group + 1 :])
                    if changed in seen:
                        continue
                    seen.add(changed)
                    macs = point.macs + point.change(group, width - start[group])
                    nearest = max(nearest, macs if macs <= at_most else 0)
                    reached.append((abs(macs - middle), changed))
        reached.sort()
        beam = [changed for _, changed in reached[:_BEAM]]
        if beam and at_least <= costs.macs(beam[0]) <= at_most:
            return list(beam[0]), moves
    raise Infeasible.too_coarse("rounded widths", nearest, at_most, at_least)


def _multiples(multiple: int, fewest: int, most: int) -> range:
    first = -(-max(fewest, multiple) // multiple) * multiple
    return range(first, most + 1, multiple)


def _blocks(
    widths: Sequence[int], places: Sequence[Sequence[int]], ladders: Sequence[Ladder]
) -> list[tuple[float, int, int]]:
    """(mean place of its units, group, width after it) of every block, the first to leave first."""
    blocks = []
    for group, (own, rungs) in enumerate(zip(places, ladders, strict=True)):
        before = widths[group]
        for after in reversed(rungs[:-1]):
            leaving = own[widths[group] - before : widths[group] - after]
            blocks.append((sum(leaving) / len(leaving), group, after))
            before = after
    return sorted(blocks)


def _neighbours(rungs: Ladder, width: int) -> list[int]:
    """The next width down and the next one up."""
    below, above = bisect.bisect_left(rungs, width) - 1, bisect.bisect_right(rungs, width)
    return [*rungs[max(below, 0) : below + 1], *rungs[above : above + 1]]
