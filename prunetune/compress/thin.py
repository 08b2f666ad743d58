"""Thin networks: the integer widths of a residual network that meet a budget.

All stages are scaled by one factor and rounded; that alone misses a budget by up to 12 %. What is
left is filled with extra channels inside the blocks, dealt to one block after the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import torch
from pydantic import BaseModel

from prunetune.compress.macs import CostTable, LayerCost, Point, unit_costs
from prunetune.compress.method import Infeasible
from prunetune.compress.rebuild import layer_widths, skeleton
from prunetune.records.architecture import Architecture
from prunetune.registry import models

Widths = tuple[int, ...]
TAG = 1_000_003
"""Width of block 0's inner channels in a network without data; no real width is as large."""


@dataclass(frozen=True)
class Thin:
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


class Thinner:
    """All thin networks of one dense architecture, by their MACs.

    Raises ValueError if its family has no stages to scale.
    """

    def __init__(self, architecture: Architecture) -> None:
        self.architecture = architecture
        entry = models.get(architecture.model)
        self.family: Any = entry.part
        self.params: BaseModel = entry.params.model_validate(architecture.params)
        base = self.family.stage_widths(self.params)
        if base is None:
            raise ValueError(f"width_scaling: {architecture.model} has no stage widths to scale")
        self.base: Widths = base
        with torch.device("meta"):
            self._unit_costs = unit_costs(skeleton(architecture), architecture.input_shape)

    @cached_property
    def candidates(self) -> list[Widths]:
        """All rounded uniform scalings from one channel each to the dense widths, ascending."""
        scales = {Fraction(2 * k + 1, 2 * w) for w in self.base for k in range(w)} | {Fraction(0)}
        halves_up = (
            tuple(max(1, int(scale * width + Fraction(1, 2))) for width in self.base)
            for scale in sorted(scales)
        )
        return list(dict.fromkeys(halves_up))

    def smallest_macs(self) -> int:
        """With one channel everywhere."""
        return self.costs(self.candidates[0]).macs([1] * len(self._inner(self.candidates[0])))

    def find(self, at_most: int, at_least: float) -> Thin:
        """The largest uniform scaling within `at_most`, completed up to `at_least`.

        Raises:
            Infeasible: the smallest is too large, or channels are too coarse (nearest: the MACs of
                the completed network below the budget).
        """
        widths, point = self._largest(at_most)
        start, uniform_macs = tuple(point.widths), point.macs
        while point.macs < at_least:
            if not _deal(point, at_most):
                raise Infeasible(
                    f"channels are too coarse: {point.macs} MACs are the nearest found at or below "
                    f"the budget of {at_most}, at least {at_least:.0f} were needed",
                    point.macs,
                )
        extra = tuple(now - then for now, then in zip(point.widths, start, strict=True))
        return Thin(widths, tuple(point.widths), point.macs, uniform_macs, extra)

    def architecture_at(self, widths: Widths, inner: Widths) -> Architecture:
        """The dense architecture with these widths."""
        plain = inner == self._inner(widths)
        params = self.family.with_widths(self.params, widths, None if plain else inner)
        entry = models.get(self.architecture.model)
        stated = entry.params.model_validate(params.model_dump()).model_dump(
            mode="json", exclude_defaults=True
        )
        thin = self.architecture.model_copy(update={"params": stated, "layers": {}})
        with torch.device("meta"):
            return thin.model_copy(update={"layers": layer_widths(skeleton(thin))})

    def costs(self, widths: Widths) -> CostTable:
        """MACs as a function of the blocks' inner widths, for these stage widths.

        Which layers belong to which block is read off a network whose blocks have tell-tale widths.
        """
        inner = self._inner(widths)
        tags = tuple(TAG + block for block in range(len(inner)))
        with torch.device("meta"):
            tagged = self.family.build(
                self.family.with_widths(self.params, widths, tags),
                self.architecture.classes,
                self.architecture.input_shape,
            )
        layers = layer_widths(tagged)
        return CostTable(
            tuple(_cost(cost, layers[name]) for name, cost in self._unit_costs.items()), inner
        )

    def _largest(self, at_most: int) -> tuple[Widths, Point]:
        """The largest candidate that fits, by bisection: MACs grow with every width."""
        low, high = 0, len(self.candidates)
        while high - low > 1:
            middle = (low + high) // 2
            costs = self.costs(self.candidates[middle])
            low, high = (middle, high) if costs.macs(costs.widths) <= at_most else (low, middle)
        costs = self.costs(self.candidates[low])
        point = Point(costs, costs.widths)
        if point.macs > at_most:
            raise Infeasible(
                f"the smallest network has {point.macs} MACs, the budget is {at_most}", point.macs
            )
        return self.candidates[low], point

    def _inner(self, widths: Widths) -> Widths:
        inner: Widths = self.family.inner_widths(self.family.with_widths(self.params, widths))
        return inner


def _deal(point: Point, at_most: int) -> bool:
    """Give each block, in order, one more inner channel if that fits; whether any did."""
    before = point.macs
    for block in range(len(point.widths)):
        if point.macs + point.change(block, 1) <= at_most:
            point.move(block, 1)
    return point.macs > before


def _cost(cost: int, widths: Widths) -> LayerCost:
    """The cost of a layer of the tagged network."""
    inside, outside, groups = (*widths, 1)[:3]
    fixed_in, units_in = (0, {inside - TAG: 1}) if inside >= TAG else (inside, {})
    fixed_out, units_out = (0, {outside - TAG: 1}) if outside >= TAG else (outside, {})
    return LayerCost(cost, fixed_in, fixed_out, units_in, units_out, groups, depthwise=False)
