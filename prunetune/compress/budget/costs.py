"""Counts the MACs of a network once, then knows them for any widths.

A layer has cost · in · out / groups MACs, where cost = kernel elements · positions (of the output;
of the input if the convolution is transposed). Its numbers of input and output channels are affine
in the widths of the coupled groups, and so are the MACs of attention. So the MACs of a network
follow exactly from its group widths, in closed form and without building the network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import nn
from torch.nn.modules.conv import _ConvNd

from prunetune.compress.budget.counting import Count, count_by_module
from prunetune.compress.budget.products import macs_per_unit
from prunetune.compress.graph.groups import Group, is_depthwise
from prunetune.protocols import Shape


def count_macs(model: nn.Module, input_shape: Shape) -> int:
    """MACs of one image, as PyTorch's own counter counts them; `model` stays as it is."""
    return CostTable.measure(model, input_shape).macs(())


def macs_of(count: Count, model: nn.Module) -> int:
    """The MACs that were counted in a forward pass of `model`."""
    layers = (
        _layer_cost(model.get_submodule(name), cost, {}, {}, ())
        for name, cost in count.layers.items()
    )
    in_layers = sum(layer.macs(layer.fixed_in, layer.fixed_out) for layer in layers)
    return in_layers + sum(count.products.values())


@dataclass(frozen=True)
class LayerCost:
    """cost · in · out / groups, with in and out = fixed part + Σ channels per unit · width.

    A product outside layers, such as those of attention, has one input channel.
    """

    cost: int
    fixed_in: int
    fixed_out: int
    units_in: Mapping[int, int]
    """Group number -> channels per unit."""
    units_out: Mapping[int, int]
    groups: int
    depthwise: bool
    """Whether there are always as many convolution groups as channels, at any width."""

    def macs(self, inside: int, outside: int) -> int:
        """MACs with `inside` input channels and `outside` output channels."""
        return self.cost * outside * (1 if self.depthwise else inside) // self.groups


@dataclass(frozen=True)
class CostTable:
    """The MACs of a network as a function of its group widths."""

    layers: tuple[LayerCost, ...]
    widths: tuple[int, ...]
    """The current width of each group."""

    @classmethod
    def measure(
        cls, model: nn.Module, input_shape: Shape, groups: Sequence[Group] = ()
    ) -> CostTable:
        """The table of `model`, from one forward pass that computes shapes only.

        Raises:
            ValueError: the MACs of a product outside layers do not follow from the widths.
        """
        units: dict[tuple[str, str], dict[int, int]] = {}
        for number, group in enumerate(groups):
            for member in group.members:
                units.setdefault((member.layer, member.side), {})[number] = member.index.shape[1]
        widths = tuple(group.width for group in groups)
        counted = count_by_module(model, input_shape)
        layers = [
            _layer_cost(
                model.get_submodule(name), cost, units.get((name, "in"), {}),
                units.get((name, "out"), {}), widths,
            )
            for name, cost in counted.layers.items()
        ]  # fmt: skip
        shares = macs_per_unit(model, input_shape, groups, counted.products)
        layers += [
            _product_cost(macs, shares[name], widths) for name, macs in counted.products.items()
        ]
        return cls(tuple(layers), widths)

    def macs(self, widths: Sequence[int]) -> int:
        """The MACs with these group widths."""
        return CostPoint(self, widths).macs


def _layer_cost(
    layer: nn.Module,
    cost: int,
    units_in: Mapping[int, int],
    units_out: Mapping[int, int],
    widths: Sequence[int],
) -> LayerCost:
    if isinstance(layer, _ConvNd):
        inside, outside, groups = layer.in_channels, layer.out_channels, layer.groups
    else:
        assert isinstance(layer, nn.Linear)
        inside, outside, groups = layer.in_features, layer.out_features, 1
    return LayerCost(
        cost,
        inside - sum(widths[g] * n for g, n in units_in.items()),
        outside - sum(widths[g] * n for g, n in units_out.items()),
        units_in,
        units_out,
        1 if is_depthwise(layer) else groups,
        is_depthwise(layer),
    )


def _product_cost(macs: int, per_unit: Mapping[int, int], widths: Sequence[int]) -> LayerCost:
    """A product's MACs in the form of a layer with one input channel and one output per MAC."""
    fixed = macs - sum(widths[g] * n for g, n in per_unit.items())
    return LayerCost(1, 1, fixed, {}, per_unit, groups=1, depthwise=False)


class CostPoint:
    """One choice of widths, changed unit by unit; a change updates only the layers it affects."""

    def __init__(self, table: CostTable, widths: Sequence[int]) -> None:
        self.widths = list(widths)
        self._layers = table.layers
        self._in = [
            c.fixed_in + sum(widths[g] * n for g, n in c.units_in.items()) for c in table.layers
        ]
        self._out = [
            c.fixed_out + sum(widths[g] * n for g, n in c.units_out.items()) for c in table.layers
        ]
        self.macs = sum(
            c.macs(i, o) for c, i, o in zip(table.layers, self._in, self._out, strict=True)
        )
        self._affected: list[list[tuple[int, int, int]]] = [
            [
                (i, c.units_in.get(g, 0), c.units_out.get(g, 0))
                for i, c in enumerate(table.layers)
                if g in c.units_in or g in c.units_out
            ]
            for g in range(len(self.widths))
        ]

    def change(self, group: int, by: int) -> int:
        """The MACs that the network gains if the group grows by `by` units."""
        total = 0
        for i, inside, outside in self._affected[group]:
            layer, a, b = self._layers[i], self._in[i], self._out[i]
            total += layer.macs(a + by * inside, b + by * outside) - layer.macs(a, b)
        return total

    def move(self, group: int, by: int) -> None:
        """Make the group wider by `by` units."""
        self.macs += self.change(group, by)
        self.widths[group] += by
        for i, inside, outside in self._affected[group]:
            self._in[i] += by * inside
            self._out[i] += by * outside
