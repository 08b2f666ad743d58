"""Finds the integer widths of a network that meet a MAC budget.

One factor scales all stages (each relative to its share of a profile), and the widths are rounded.
Rounding alone misses a budget by up to 12 %. The MACs that are still free are spent on extra
channels inside the blocks, one channel for one block after the other.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import torch

from prunetune.compress.budget.costs import CostPoint, CostTable, LayerCost
from prunetune.compress.budget.counting import count_by_module
from prunetune.compress.budget.rounding import Ladder, approach, ladder
from prunetune.compress.method import Infeasible
from prunetune.compress.methods.width_scaling.scalings import Widths, scalings
from prunetune.compress.network.rebuild import family_network, family_of, layer_widths, with_widths
from prunetune.records.architecture import Architecture

_WIDEST_INSIDE = 2
"""Where widths are rounded, a block may be so many times as wide inside as in the dense network."""
STAGE_TAG, _BLOCK_TAG = 1_000_003, 100_000_007
"""Unmistakable widths: stage i gets STAGE_TAG + i, and the inside of block j _BLOCK_TAG + j.

A network is built with them, without data, to read off which stage or block each layer's width
follows. Both are primes far above any fixed width (image channels, classes), so no fixed width is a
multiple of a tag. A layer may have a small multiple of its stage's width: that is no multiple of
another stage's tag, because the tags differ by less than a tag over that factor, and it stays below
the block tags up to the factor 99. Only sums of tags, as in the concatenations of a DenseNet, could
not be read; such families have no stage widths, so `WidthSolver` refuses them first.
"""


@dataclass(frozen=True)
class ScaledWidths:
    """Widths that meet a budget."""

    widths: Widths
    """One per stage."""
    inner: Widths
    """One per block: the channels inside it."""
    macs: int
    uniform_macs: int
    """The MACs before extra channels were added."""
    extra: Widths
    """One per block: the extra channels inside it."""


class WidthSolver:
    """All networks that are one dense architecture with scaled stage widths, ordered by their MACs.

    `profile` has each stage's width relative to the dense one's; stages beyond its end have 1.
    Widths are multiples of `round_to`, but for those below it.

    Raises:
        ValueError: the family has no stage widths, or fewer than the profile names, or its network
            multiplies tensors outside of convolution and linear layers.
    """

    def __init__(
        self, architecture: Architecture, profile: Sequence[Fraction] = (), round_to: int = 1
    ) -> None:
        self.architecture, self.profile, self.round_to = architecture, profile, round_to
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
        """All rounded scalings, from one channel per stage to the dense widths and beyond."""
        shares = [self.stage_share(stage) for stage in range(len(self.base))]
        return scalings(self.base, shares, self.round_to)

    def uniform(self, candidate: Widths) -> CostPoint:
        """The network of these stage widths, its blocks as wide inside as the family makes them."""
        return CostPoint(self.costs, candidate + self.inner_widths(candidate))

    def stage_share(self, stage: int) -> Fraction:
        """The factor on a stage's width beside the common one."""
        return self.profile[stage] if stage < len(self.profile) else Fraction(1)

    def smallest_macs(self) -> int:
        """MACs with one channel in every stage and every block."""
        return self.costs.macs([1] * len(self.costs.widths))

    def solve(self, at_most: int, at_least: float) -> ScaledWidths:
        """The largest uniform scaling of at most `at_most` MACs, widened to at least `at_least`.

        If extra channels in all blocks end below `at_least`, each block in turn is left out.

        Raises:
            Infeasible: the smallest network is too large (nearest: its MACs), or channels are too
                coarse (nearest: the most MACs up to `at_most` that were found).
        """
        candidate = self._largest(at_most)
        if self.round_to > 1:
            return self._solve_rounded(candidate, at_most, at_least)
        blocks = range(len(self.base), len(self.costs.widths))
        nearest_macs = 0
        for left_out in (None, *blocks):
            point = self.uniform(candidate)
            widened = [block for block in blocks if block != left_out and point.widths[block]]
            while point.macs < at_least and _widen(point, widened, at_most):
                pass
            if point.macs >= at_least:
                return self._scaled(candidate, point)
            nearest_macs = max(nearest_macs, point.macs)
        raise Infeasible.too_coarse("channels", nearest_macs, at_most, at_least)

    def _solve_rounded(self, candidate: Widths, at_most: int, at_least: float) -> ScaledWidths:
        """The candidate, its blocks wider inside in turn, then a few of them wider or narrower."""
        point = self.uniform(candidate)
        blocks = range(len(self.base), len(self.costs.widths))
        widest = [_WIDEST_INSIDE * width for width in self.costs.widths]
        ladders = [ladder(width, self.round_to) for width in widest]
        movable = [block for block in blocks if point.widths[block]]
        while point.macs < at_least and _climb(point, movable, ladders, at_most):
            pass
        if point.macs < at_least:
            widths, _ = approach(self.costs, point.widths, ladders, movable, at_most, at_least)
            point = CostPoint(self.costs, widths)
        return self._scaled(candidate, point)

    def architecture_at(self, widths: Widths, inner: Widths) -> Architecture:
        """The dense architecture with these widths.

        Raises:
            ValueError: the family cannot have them.
        """
        derived = inner == self.inner_widths(widths)
        scaled = with_widths(self.architecture, widths, None if derived else inner)
        with torch.device("meta"):
            return scaled.model_copy(update={"layers": layer_widths(family_network(scaled))})

    def inner_widths(self, widths: Widths) -> Widths:
        """The channels inside each block that the family has at these stage widths."""
        inner: Widths = self.family.inner_widths(self.family.with_widths(self.params, widths))
        return inner

    def _largest(self, at_most: int) -> Widths:
        """The largest candidate that fits, by bisection: MACs grow with every width."""
        n_fitting = bisect.bisect(self.candidates, at_most, key=lambda w: self.uniform(w).macs)
        if not n_fitting:
            raise Infeasible.too_large(self.uniform(self.candidates[0]).macs, at_most)
        return self.candidates[n_fitting - 1]

    def _scaled(self, candidate: Widths, point: CostPoint) -> ScaledWidths:
        uniform, widths = self.uniform(candidate), tuple(point.widths)
        n = len(self.base)
        extra = tuple(a - b for a, b in zip(widths[n:], uniform.widths[n:], strict=True))
        return ScaledWidths(widths[:n], widths[n:], point.macs, uniform.macs, extra)

    def _closed_form(self) -> CostTable:
        """MACs as a function of all stage widths, followed by all blocks' inner widths.

        A network with tagged widths shows which width each layer has. The cost of a pair of
        channels in each layer does not depend on widths, so the dense network gives it.
        """
        shape, inner = self.architecture.input_shape, self.inner_widths(self.base)
        stage_tags = tuple(STAGE_TAG + i for i in range(len(self.base)))
        block_tags = tuple(_BLOCK_TAG + i for i in range(len(inner)))
        with torch.device("meta"):
            counted = count_by_module(family_network(self.architecture), shape)
            tagged = self.family.with_widths(self.params, stage_tags, block_tags)
            layers = layer_widths(self.family.build(tagged, self.architecture.classes, shape))
        if counted.products:
            raise ValueError(
                f"width_scaling: {self.architecture.model} multiplies tensors outside of its "
                f"layers, in {', '.join(counted.products)}; their MACs at other widths are unknown"
            )
        costs = counted.layers.items()
        terms = tuple(_cost(cost, layers[name], len(self.base)) for name, cost in costs)
        return CostTable(terms, self.base + inner)


def _widen(point: CostPoint, blocks: Sequence[int], at_most: int) -> bool:
    """Give each of these blocks, in order, one more inner channel if it fits; whether any did."""
    before = point.macs
    for block in blocks:
        if point.macs + point.change(block, 1) <= at_most:
            point.move(block, 1)
    return point.macs > before


def _climb(
    point: CostPoint, blocks: Sequence[int], ladders: Sequence[Ladder], at_most: int
) -> bool:
    """`_widen` by one rung of each block's ladder in place of one channel."""
    before = point.macs
    for block in blocks:
        for by in (width - point.widths[block] for width in ladders[block]):
            if by > 0:
                if point.macs + point.change(block, by) <= at_most:
                    point.move(block, by)
                break
    return point.macs > before


def _cost(cost: int, widths: Widths, stages: int) -> LayerCost:
    """The cost of a layer from its widths in the tagged network."""
    inside, outside, groups = (*widths, 1)[:3]
    (fixed_in, units_in), (fixed_out, units_out) = _source(inside, stages), _source(outside, stages)
    depthwise = 1 < groups == inside == outside
    groups = 1 if depthwise else groups
    return LayerCost(cost, fixed_in, fixed_out, units_in, units_out, groups, depthwise)


def _source(width: int, stages: int) -> tuple[int, dict[int, int]]:
    """(fixed width, {}) or (0, {number of the stage or block: channels per unit of its width})."""
    if width >= _BLOCK_TAG:
        return 0, {stages + width - _BLOCK_TAG: 1}
    for stage in range(stages):
        if width and width % (STAGE_TAG + stage) == 0:
            return 0, {stage: width // (STAGE_TAG + stage)}
    return width, {}
