"""Coupled groups: which channels of which layers must be removed together.

A *unit* is the smallest set of channels that can be removed: one output channel of a layer, with
all channels that are coupled to it. These are its batch norm entries, the input channels of every
layer that reads it, and the channels of other layers that a residual sum adds to it. In a grouped
convolution a unit has one channel of every convolution group, because those must stay equally wide.

torch-pruning's dependency graph finds the coupling (`traced.py`). Modules whose channels
torch-pruning cannot follow declare their units (attention heads). Both are turned into `Group`, so
that scores, costs and the cut agree on what a unit is. Neither is believed: every cut is
held to the network itself (`prunetune.compress.proof`), where everybody gets a network's groups.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from prunetune.compress.graph.layout import Side

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


@dataclass(frozen=True, eq=False)
class Refused:
    """Coupled channels that are left alone, because no cut of them is known to be right."""

    layer: str
    """The first layer that writes the channels."""
    reason: str
    """Why they are left alone; names the layer that is in the way."""
    channels: Mapping[tuple[str, Side], int]
    """(layer, side) -> how many of its channels they are."""
    mistaken: bool = False
    """Whether tracing followed them to the wrong places, not just to a layer that is not cut."""

    @classmethod
    def of(cls, group: Group, reason: str, *, mistaken: bool = False) -> Refused:
        """The group, left alone for this reason."""
        sides = {(m.layer, m.side): len(np.unique(m.index)) for m in group.members}
        return cls(group.name, reason, sides, mistaken)


@runtime_checkable
class DeclaresUnits(Protocol):
    """A module that declares its removable units, because tracing cannot find them.

    The products of tensors in its forward pass take equally many MACs for each unit.
    """

    def prunable_units(self) -> Mapping[tuple[str, Side], Sequence[Sequence[int]]]:
        """(submodule, side) -> the channels of each unit; submodules that write come first."""

    def unit_gates(self) -> Mapping[str, Sequence[Sequence[int]]]:
        """Submodule -> the output channels of each unit on which one factor scales the unit."""


def declared_groups(model: nn.Module) -> list[Group]:
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


def is_link(layer: nn.Module) -> bool:
    """Whether the layer passes channels on one by one instead of computing new ones."""
    return isinstance(layer, _BatchNorm) or is_depthwise(layer)


def is_depthwise(module: nn.Module) -> bool:
    """Whether each input channel is its own convolution group with one output channel."""
    return (
        isinstance(module, _ConvNd)
        and 1 < module.groups == module.in_channels == module.out_channels
    )
