"""Coupled groups: which channels of which layers must be removed together.

A *unit* is the smallest set of channels that can be removed: one output channel of a layer, with
all channels that are coupled to it. These are its batch norm entries, the input channels of every
layer that reads it, and the channels of other layers that a residual sum adds to it. In a grouped
convolution a unit has one channel of every convolution group, because those must stay equally wide.

torch-pruning's dependency graph finds the coupling. Modules whose channels torch-pruning cannot
follow declare their units (attention heads). Both are turned into `Group` here, so that scores,
costs and the cut agree on what a unit is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from prunetune.compress.graph.gates import gated_layers
from prunetune.compress.graph.layout import Side
from prunetune.compress.graph.tracing import trace, without_data
from prunetune.protocols import Shape
from prunetune.records.architecture import Architecture
from prunetune.registry import models

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Member:
    """One side of one layer in a group.

    Batch norms and depthwise convolutions belong to a group with their output side only.
    """

    layer: str
    side: Side
    index: IntArray
    """(units, channels per unit): the layer's channels on that side that belong to each unit.

    A unit has several channels behind a flattening (one per position) and in grouped convolutions
    (one per convolution group). Behind a concatenation the channels have an offset.
    """


@dataclass(frozen=True, eq=False)
class Group:
    """Units with channels on the same sides of the same layers."""

    members: tuple[Member, ...]
    """Layers that write the channels come first, in the network's order."""
    gates: tuple[Member, ...] = ()
    """The layer outputs where one factor scales a whole unit; see `gates.py`."""

    @property
    def name(self) -> str:
        """The first layer that writes the group's channels."""
        return self.members[0].layer

    @property
    def width(self) -> int:
        """The number of units."""
        return len(self.members[0].index)

    @cached_property
    def writers(self) -> tuple[Member, ...]:
        """The members whose output channels belong to the units."""
        return tuple(m for m in self.members if m.side == "out")

    def channels(self, units: Sequence[int]) -> list[int]:
        """The first layer's output channels that make up these units, ascending."""
        return sorted(int(i) for i in self.members[0].index[list(units)].ravel())


@runtime_checkable
class DeclaresUnits(Protocol):
    """A module that declares its removable units, because tracing cannot find them.

    The products of tensors in its forward pass take equally many MACs for each unit.
    """

    def prunable_units(self) -> Mapping[tuple[str, Side], Sequence[Sequence[int]]]:
        """(submodule, side) -> the channels of each unit; submodules that write come first."""

    def unit_gates(self) -> Mapping[str, Sequence[Sequence[int]]]:
        """Submodule -> the output channels of each unit on which one factor scales the unit."""


def find_groups(
    model: nn.Module, input_shape: Shape, ignored: Sequence[nn.Module] = ()
) -> tuple[Group, ...]:
    """The groups whose units may be removed, in the network's order.

    A group is left out if it has output channels of a layer in `ignored` (such as the classifier),
    if it has channels of a layer that is no convolution, linear or batch norm layer, or if its
    channels do not map onto every layer evenly. Only a copy without data is traced.

    Raises:
        ValueError: channels cannot be traced through this network.
    """
    twin = without_data(model)
    names = {id(layer): name for name, layer in model.named_modules()}
    order = {name: i for i, name in enumerate(names.values())}
    fixed = {names[id(layer)] for layer in ignored}
    declared = _declared(model)
    declared_sides = {(member.layer, member.side) for group in declared for member in group.members}
    untraced = fixed | {layer for layer, side in declared_sides if side == "out"}
    graph = trace(twin, input_shape)
    raw_groups = graph.get_all_groups([twin.get_submodule(name) for name in untraced])
    traced = [group for group in (_group(graph, raw, order) for raw in raw_groups) if group]
    groups = [g for g in traced if declared_sides.isdisjoint((m.layer, m.side) for m in g.members)]
    groups += [g for g in declared if fixed.isdisjoint(member.layer for member in g.writers)]
    return tuple(sorted(groups, key=lambda group: order[group.name]))


def prunable_groups(model: nn.Module, architecture: Architecture) -> tuple[Group, ...]:
    """The groups of a network of a registered family, without those that the family keeps whole."""
    ignored = models.get(architecture.model).part.ignored_layers(model)
    return find_groups(model, architecture.input_shape, ignored)


def _declared(model: nn.Module) -> list[Group]:
    """The groups that modules of the network declare."""
    groups = []
    for name, module in model.named_modules():
        if isinstance(module, DeclaresUnits):
            prefix = f"{name}." if name else ""
            members = (
                Member(prefix + layer, side, np.array(channels, dtype=np.int64))
                for (layer, side), channels in module.prunable_units().items()
            )
            gates = (
                Member(prefix + layer, "out", np.array(channels, dtype=np.int64))
                for layer, channels in module.unit_gates().items()
            )
            groups.append(Group(tuple(members), tuple(gates)))
    return groups


def _group(graph: Any, raw: Any, order: dict[str, int]) -> Group | None:
    """One of torch-pruning's groups as a `Group`; None if its units may not be removed."""
    width = len(raw[0].idxs)
    members = []
    for item in raw:
        module = item.dep.target.module
        name = graph._module2name.get(module)
        if name not in order:
            if isinstance(module, nn.Parameter):
                return None
            continue  # torch-pruning's own nodes for sums, concatenations and reshapes
        if not isinstance(module, _ConvNd | nn.Linear | _BatchNorm):
            return None
        index = _index(item, width)
        if index is None:
            return None
        side: Side = "out" if graph.is_out_channel_pruning_fn(item.dep.handler) else "in"
        members.append((Member(name, side, index), module))
    members.sort(key=lambda pair: (_rank(*pair), order[pair[0].layer]))
    written = [layer for member, layer in members if member.side == "out"]
    links = [layer for layer in written if is_link(layer)]
    sources = [layer for layer in written if layer not in links] or written[:1]
    gated = [graph._module2name[layer] for layer in gated_layers(graph, sources, links)]
    return _bundle(members, width, gated)


def _rank(member: Member, module: nn.Module) -> int:
    """0 for layers that write, 1 for their batch norms, 2 for layers that read."""
    return 2 if member.side == "in" else int(isinstance(module, _BatchNorm))


def _index(item: Any, width: int) -> IntArray | None:
    """(width, channels per unit): the item's channels of each unit; None if they map unevenly."""
    pairs = np.array(sorted(zip(item.root_idxs, item.idxs, strict=True)), dtype=np.int64)
    per_unit = len(pairs) // width
    if (
        not per_unit
        or len(pairs) != per_unit * width
        or not np.array_equal(pairs[:, 0], np.repeat(np.arange(width), per_unit))
    ):
        return None
    return pairs[:, 1].reshape(width, per_unit)


def _bundle(
    members: Sequence[tuple[Member, nn.Module]], width: int, gated: Sequence[str]
) -> Group | None:
    """The group of these members; None if its grouped convolutions could not stay equally wide.

    With grouped convolutions a unit has one channel of every convolution group.
    """
    grouped = [
        (member, conv)
        for member, conv in members
        if isinstance(conv, _ConvNd) and conv.groups > 1 and not is_depthwise(conv)
    ]
    fold = math.lcm(*(conv.groups for _, conv in grouped))
    plain = np.arange(width).reshape(-1, 1)
    if grouped and (width % fold or any(not np.array_equal(m.index, plain) for m, _ in grouped)):
        return None
    units = np.arange(width).reshape(fold, -1).T  # (units, fold): the same place in each group
    folded = tuple(
        Member(m.layer, m.side, m.index[units].reshape(len(units), -1)) for m, _ in members
    )
    written = {member.layer: member for member in folded if member.side == "out"}
    return Group(folded, tuple(written[name] for name in gated))


def is_link(layer: nn.Module) -> bool:
    """Whether the layer passes channels on one by one instead of computing new ones."""
    return isinstance(layer, _BatchNorm) or is_depthwise(layer)


def is_depthwise(module: nn.Module) -> bool:
    """Whether each input channel is its own convolution group with one output channel."""
    return (
        isinstance(module, _ConvNd)
        and 1 < module.groups == module.in_channels == module.out_channels
    )
