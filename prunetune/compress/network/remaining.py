"""The groups of a network that was cut along its groups, without tracing it again.

A narrow network may look unlike what it was cut from: with one channel left in each of its groups,
a grouped convolution is like a depthwise one, and a mask of one channel like a gate. What was
proved of the dense network holds for its own groups, so these are carried over.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import nn

from prunetune.compress.graph.groups import Group, IntArray, Member
from prunetune.compress.network.cut import other_units


def remaining_groups(
    groups: Sequence[Group], kept: Sequence[Sequence[int]]
) -> tuple[Group | None, ...]:
    """Each group with its units `kept`, their channels numbered anew; None if it has none left."""
    removed: dict[tuple[str, str], list[IntArray]] = {}
    for group, units in zip(groups, other_units(groups, kept), strict=True):
        for member in group.members:
            removed.setdefault((member.layer, member.side), []).append(member.index[units].ravel())
    gone = {side: np.sort(np.concatenate(channels)) for side, channels in removed.items()}

    def renumbered(member: Member, units: Sequence[int]) -> Member:
        index = member.index[list(units)]
        before = np.searchsorted(gone[member.layer, member.side], index)
        return Member(member.layer, member.side, index - before)

    return tuple(
        Group(
            tuple(renumbered(member, units) for member in group.members),
            tuple(renumbered(member, units) for member in group.gates),
        )
        if len(units)
        else None
        for group, units in zip(groups, kept, strict=True)
    )


def has_all_layers(model: nn.Module, groups: Sequence[Group]) -> bool:
    """Whether the network still has every layer of the groups: it may have lost whole blocks."""
    names = {name for name, _ in model.named_modules()}
    return all(member.layer in names for group in groups for member in group.members)
