"""Coupled groups: which channels of which layers stand or fall together.

A removable *unit* is what is cut at once: one channel of the layer that writes it, with everything
that is joined to it: batch norm entries, input channels of every reader, channels of other writers
that a residual sum adds to it, and in grouped convolutions one channel of every convolution group
(they must stay equally wide). torch-pruning's dependency graph finds the coupling, and modules
whose channels it cannot follow declare theirs (attention heads); from there on it is our own data,
so that scores, costs and the cut agree on what a unit is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from prunetune.compress.graph.gates import gated_layers
from prunetune.compress.graph.tracing import trace, without_data
from prunetune.protocols import Shape
from prunetune.records.architecture import Architecture
from prunetune.registry import models

IntArray = npt.NDArray[np.int64]
Side = Literal["out", "in"]


@dataclass(frozen=True, eq=False)
class Member:
    """One side of one layer in a group; batch norm and depthwise convolutions count as `out`."""

    layer: str
    side: Side
    index: IntArray
    """(units, channels per unit): the layer's channels on that side that go with each unit.

    A unit has several channels behind a flattening (one per position) and in grouped convolutions
    (one per convolution group); an offset comes from a concatenation.
    """


@dataclass(frozen=True, eq=False)
class Group:
    """Units that are alike: the same layers, the same sides, one index each."""

    members: tuple[Member, ...]
    """The layers that write come first, in the network's order."""
    gates: tuple[Member, ...] = ()
    """Where a factor on the output scales the units as a whole: see `gates.py`."""

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
        """The members on whose output side the units are."""
        return tuple(m for m in self.members if m.side == "out")

    def channels(self, units: Sequence[int]) -> list[int]:
        """The first layer's output channels that make up these units, ascending."""
        return sorted(int(i) for i in self.members[0].index[list(units)].ravel())


@runtime_checkable
class DeclaresUnits(Protocol):
    """A module that says itself which units may be cut below it, since tracing cannot tell."""

    def prunable_units(self) -> Mapping[tuple[str, Side], Sequence[Sequence[int]]]:
        """Per layer below and side the channels that go with each unit; what writes comes first."""

    def unit_gates(self) -> Mapping[str, Sequence[Sequence[int]]]:
        """Per layer below the output channels on which one factor scales each unit as a whole."""


def find_groups(
    model: nn.Module, input_shape: Shape, ignored: Sequence[nn.Module] = ()
) -> tuple[Group, ...]:
    """The groups whose units may be removed, in the network's order.

    A group is left alone when it writes into a layer of `ignored` (the classifier, say), when it
    touches a layer that is not a convolution, linear or batch norm layer, or when its channels do
    not map onto every layer alike. The model is not touched: a copy without data is traced.

    Raises:
        ValueError: channels cannot be traced through this network.
    """
    twin = without_data(model)
    names = {id(a): name for (name, a) in model.named_modules()}
    order = {name: i for i, name in enumerate(names.values())}
    fixed = {names[id(layer)] for layer in ignored}
    declared = _declared(model)
    theirs = {(member.layer, member.side) for group in declared for member in group.members}
    keep_out = fixed | {layer for layer, side in theirs if side == "out"}
    traced = trace(twin, input_shape)
    raw = traced.get_all_groups([twin.get_submodule(name) for name in keep_out])
    found = [group for group in (_group(traced, one, order) for one in raw) if group]
    found = [g for g in found if theirs.isdisjoint((m.layer, m.side) for m in g.members)]
    found += [g for g in declared if fixed.isdisjoint(member.layer for member in g.writers)]
    return tuple(sorted(found, key=lambda group: order[group.name]))


def prunable_groups(model: nn.Module, architecture: Architecture) -> tuple[Group, ...]:
    """The groups of a network of a registered family, without those that the family keeps whole."""
    ignored = models.get(architecture.model).part.ignored_layers(model)
    return find_groups(model, architecture.input_shape, ignored)


def _declared(model: nn.Module) -> list[Group]:
    """The groups that modules of the network declare."""
    found = []
    for name, module in model.named_modules():
        if isinstance(module, DeclaresUnits):
            below = f"{name}." if name else ""
            members = (
                Member(below + layer, side, np.array(channels, dtype=np.int64))
                for (layer, side), channels in module.prunable_units().items()
            )
            gates = (
                Member(below + layer, "out", np.array(channels, dtype=np.int64))
                for layer, channels in module.unit_gates().items()
            )
            found.append(Group(tuple(members), tuple(gates)))
    return found


def _group(graph: Any, raw: Any, order: dict[str, int]) -> Group | None:
    """Our view of one of torch-pruning's groups, or None for one that is left alone."""
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
        if isinstance(module, _ConvTransposeNd):
            return None  # its weight has the sides the other way round
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
    """Layers that write first, then norms, then layers that read."""
    return 2 if member.side == "in" else int(isinstance(module, _BatchNorm))


def _index(item: Any, width: int) -> IntArray | None:
    """(width, channels each) channels of the item by root channel; None if they map unevenly."""
    pairs = np.array(sorted(zip(item.root_idxs, item.idxs, strict=True)), dtype=np.int64)
    each = len(pairs) // width
    if (
        not each
        or len(pairs) != each * width
        or not np.array_equal(pairs[:, 0], np.repeat(np.arange(width), each))
    ):
        return None
    return pairs[:, 1].reshape(width, each)


def _bundle(
    members: Sequence[tuple[Member, nn.Module]], width: int, gated: Sequence[str]
) -> Group | None:
    """Units of one channel of every convolution group where grouped convolutions take part."""
    grouped = [
        (member, conv)
        for member, conv in members
        if isinstance(conv, _ConvNd) and conv.groups > 1 and not is_depthwise(conv)
    ]
    fold = math.lcm(*(conv.groups for _, conv in grouped))
    plain = np.arange(width).reshape(-1, 1)
    if grouped and (width % fold or any(not np.array_equal(m.index, plain) for m, _ in grouped)):
        return None
    units = np.arange(width).reshape(fold, -1).T  # (units, fold): alike positions of every group
    folded = tuple(
        Member(m.layer, m.side, m.index[units].reshape(len(units), -1)) for m, _ in members
    )
    written = {member.layer: member for member in folded if member.side == "out"}
    return Group(folded, tuple(written[name] for name in gated))


def is_link(layer: nn.Module) -> bool:
    """Whether it passes on channels one by one, and makes none from others."""
    return isinstance(layer, _BatchNorm) or is_depthwise(layer)


def is_depthwise(module: nn.Module) -> bool:
    """Whether each input channel is a convolution group of its own with one output channel."""
    return (
        isinstance(module, _ConvNd)
        and 1 < module.groups == module.in_channels == module.out_channels
    )
