"""What can be wrong with a group at first sight, before any cut is tried."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from prunetune.compress.graph.groups import Group, Member, is_link
from prunetune.compress.graph.layout import Side


def mistake_in(group: Group, layers: Mapping[str, nn.Module], *, whole: bool) -> str | None:
    """Why the channels of this group cannot be so; None if nothing is wrong at first sight.

    On every side of every layer, channels must exist and belong to one unit only. If `whole`, the
    units must also have all channels of the layers that compute them: a cut would otherwise leave
    some that nobody followed.
    """
    seen: set[tuple[str, Side]] = set()
    owners = Counter(id(p) for layer in layers.values() for p in layer._parameters.values())
    for member in group.members:
        if any(owners[id(p)] > 1 for p in layers[member.layer].parameters(recurse=False)):
            return f"{member.layer} shares a parameter with another layer"
        if (member.layer, member.side) in seen:
            return f"{member.layer} has them at two places"
        seen.add((member.layer, member.side))
        if fault := _fault(member, layers[member.layer], whole=whole):
            return fault
    return None


def overlap_of(group: Group, others: Sequence[Group]) -> str | None:
    """Why the group cannot be cut beside `others`, if it has channels that are theirs."""
    mine = {(m.layer, m.side): m.index for m in group.members}
    for other in others:
        for member in other.members:
            index = mine.get((member.layer, member.side))
            if index is not None and np.isin(index, member.index).any():
                return f"some of its channels of {member.layer} belong to units of {other.name} too"
    return None


def _fault(member: Member, layer: nn.Module, *, whole: bool) -> str | None:
    name, side = member.layer, "output" if member.side == "out" else "input"
    if computed := _computed(layer):
        return f"the {computed} of {name} is computed from other tensors, so it cannot be cut"
    width, index = _width(layer, member.side), member.index
    if not index.size or index.min() < 0 or index.max() >= width:
        return f"they would need other channels than the {width} {side} channels of {name}"
    n_channels = len(np.unique(index))
    if n_channels < index.size:
        return f"an {side} channel of {name} would belong to two units"
    if whole and member.side == "out" and not is_link(layer) and n_channels < width:
        return f"only {n_channels} of the {width} output channels of {name} could be followed"
    return None


def _computed(layer: nn.Module) -> str:
    """The tensor of a layer that is no parameter, as under weight normalisation; else empty."""
    for name in ("weight", "bias"):
        if name not in layer._parameters and isinstance(getattr(layer, name, None), torch.Tensor):
            return name
    return ""


def _width(layer: nn.Module, side: Side) -> int:
    if isinstance(layer, _ConvNd):
        return layer.out_channels if side == "out" else layer.in_channels
    if isinstance(layer, nn.Linear):
        return layer.out_features if side == "out" else layer.in_features
    assert isinstance(layer, _BatchNorm)
    return layer.num_features
