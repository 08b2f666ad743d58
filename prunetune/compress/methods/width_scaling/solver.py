"""Thin networks: the integer widths of a residual network that meet a budget.

All stages are scaled by one factor (each relative to its share of a profile) and rounded; that
alone misses a budget by up to 12 %. What is left is filled with extra channels inside the blocks,
dealt to one block after the other.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import torch

from prunetune.compress.budget.costs import CostPoint, CostTable, LayerCost, macs_per_channel_pair
from prunetune.compress.method import Infeasible
from prunetune.compress.network.rebuild import family_network, family_of, layer_widths, with_widths
from prunetune.records.architecture import Architecture

Widths = tuple[int, ...]
STAGE, BLOCK = 1_000_003, 100_000_007
"""Tell-tale widths of the first stage and the first block's inside in a network without data."""


@dataclass(frozen=True)
class ScaledWidths:
    """Widths that meet a budget."""

    widths: Widths
    """Per stage."""
    inner: Widths
    """Inside each block."""
    macs: int
    uniform_macs: int
    """Before extra channels were dealt."""
    extra: Widths
    """Extra channels of each block."""


class WidthSolver:
    """All thin networks of one dense architecture, by their MACs.

    `profile` has each stage's width relative to the dense one's, 1 where it ends. Raises ValueError
    if the family has no stages to scale, or not as many.
    """

    def __init__(self, architecture: Architecture, profile: Sequence[Fraction] = ()) -> None:
        self.architecture, self.profile = architecture, profile
        self.family, self.params = family_of(architecture)
        base = self.family.stage_widths(self.params)
        if base is None:
            raise ValueError(f"width_scaling: {architecture.model} has no stage widths to scale")
        self.base: Widths = base
        if any(share != 1 for share in self.profile[len(base) :]):
            name, stages = architecture.model, len(base)
            raise ValueError(f"width_scaling: {name} has {stages} stages, the profile names more")
        self.costs = self._closed_form()

    @cached_property
    def candidates(self) -> list[Widths]:
        """All rounded scalings from one channel each to the dense widths and beyond, ascending."""
        return scalings(self.base, [self.share(stage) for stage in range(len(self.base))])

    def uniform(self, widths: Widths) -> CostPoint:
        """The network of these stage widths, its blocks as wide inside as the family has them."""
        return CostPoint(self.costs, widths + self.inner(widths))

    def share(self, stage: int) -> Fraction:
        """What a stage's width is multiplied by beside the common factor."""
        return self.profile[stage] if stage < len(self.profile) else Fraction(1)

    def smallest_macs(self) -> int:
        """With one channel everywhere."""
        return self.costs.macs([1] * len(self.costs.widths))

    def find(self, at_most: int, at_least: float) -> ScaledWidths:
        """The largest uniform scaling within `at_most`, completed up to `at_least`.

        If dealing to all blocks ends too low, it is tried with one block left out, each in turn.

        Raises:
            Infeasible: the smallest is too large (nearest: its MACs), or channels are too coarse
                (nearest: the most MACs up to `at_most` that were found).
        """
        start = self._largest(at_most)
        blocks = range(len(self.base), len(self.costs.widths))
        nearest = 0
        for left_out in (None, *blocks):
            point = self.uniform(start)
            takers = [block for block in blocks if block != left_out and point.widths[block]]
            while point.macs < at_least and _deal(point, takers, at_most):
                pass
            if point.macs >= at_least:
                return self._thin(start, point)
            nearest = max(nearest, point.macs)
        raise Infeasible(
            f"channels are too coarse: {nearest} MACs are the nearest found at or below the budget "
            f"of {at_most}, at least {at_least:.0f} were needed",
            nearest,
        )

    def architecture_at(self, widths: Widths, inner: Widths) -> Architecture:
        """The dense architecture with these widths."""
        plain = inner == self.inner(widths)
        thin = with_widths(self.architecture, widths, None if plain else inner)
        with torch.device("meta"):
            return thin.model_copy(update={"layers": layer_widths(family_network(thin))})

    def _largest(self, at_most: int) -> Widths:
        """The largest candidate that fits, by bisection: MACs grow with every width."""
        fitting = bisect.bisect(self.candidates, at_most, key=lambda w: self.uniform(w).macs)
        if not fitting:
            macs = self.uniform(self.candidates[0]).macs
            raise Infeasible(f"the smallest network has {macs} MACs, the budget is {at_most}", macs)
        return self.candidates[fitting - 1]

    def _thin(self, candidate: Widths, point: CostPoint) -> ScaledWidths:
        start, found = self.uniform(candidate), tuple(point.widths)
        n = len(self.base)
        extra = tuple(a - b for a, b in zip(found[n:], start.widths[n:], strict=True))
        return ScaledWidths(found[:n], found[n:], point.macs, start.macs, extra)

    def _closed_form(self) -> CostTable:
        """MACs as a function of all stage widths, then all blocks' inner widths.

        Which layer has which width is read off a network with tell-tale ones; what a pair of
        channels costs in each layer does not depend on widths.
        """
        shape, inner = self.architecture.input_shape, self.inner(self.base)
        stages = tuple(STAGE + i for i in range(len(self.base)))
        blocks = tuple(BLOCK + i for i in range(len(inner)))
        with torch.device("meta"):
            costs = macs_per_channel_pair(family_network(self.architecture), shape)
            tagged = self.family.with_widths(self.params, stages, blocks)
            layers = layer_widths(self.family.build(tagged, self.architecture.classes, shape))
        terms = tuple(_cost(cost, layers[name], len(stages)) for name, cost in costs.items())
        return CostTable(terms, self.base + inner)

    def inner(self, widths: Widths) -> Widths:
        """What the family has inside each block at these stage widths."""
        inner: Widths = self.family.inner_widths(self.family.with_widths(self.params, widths))
        return inner


def scalings(base: Widths, shares: Sequence[Fraction]) -> list[Widths]:
    """`base` times `shares` times any factor, rounded (halves up, to at least one), ascending.

    They end where every width is that of `base` or more.
    """
    full = [width * share for width, share in zip(base, shares, strict=True)]
    end = 1 / min(shares)
    ticks = {Fraction(2 * k + 1, 2) / f for f in full for k in range(math.ceil(f * end))}
    return list(
        dict.fromkeys(
            tuple(max(1, int(scale * f + Fraction(1, 2))) for f in full)
            for scale in sorted(ticks | {Fraction(0)})
        )
    )


def _deal(point: CostPoint, takers: Sequence[int], at_most: int) -> bool:
    """Give each of these blocks, in order, one more inner channel if it fits; whether any did."""
    before = point.macs
    for block in takers:
        if point.macs + point.change(block, 1) <= at_most:
            point.move(block, 1)
    return point.macs > before


def _cost(cost: int, widths: Widths, stages: int) -> LayerCost:
    """The cost of a layer of the network with tell-tale widths."""
    inside, outside, groups = (*widths, 1)[:3]
    (fixed_in, units_in), (fixed_out, units_out) = _end(inside, stages), _end(outside, stages)
    depthwise = 1 < groups == inside == outside
    groups = 1 if depthwise else groups
    return LayerCost(cost, fixed_in, fixed_out, units_in, units_out, groups, depthwise)


def _end(width: int, stages: int) -> tuple[int, dict[int, int]]:
    """(fixed, {}) or (0, {stage or block: channels per unit of its width})."""
    if width >= BLOCK:
        return 0, {stages + width - BLOCK: 1}
    for stage in range(stages):
        if width and width % (STAGE + stage) == 0:
            return 0, {stage: width // (STAGE + stage)}
    return width, {}
