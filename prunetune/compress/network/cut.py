"""Cuts a network: makes a narrower copy without the channels of the removed units.

The units that stay can be put in another order, which a proof asks for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from prunetune.compress.graph.groups import Group, is_depthwise
from prunetune.compress.graph.layout import Side, as_stored, by_output, convolution_groups
from prunetune.compress.graph.tracing import without_data


def cut(model: nn.Module, groups: Sequence[Group], removed: Sequence[Sequence[int]]) -> nn.Module:
    """A copy of `model` without the units `removed` of each group; `model` stays as it is.

    The copy shares no memory with `model` and has no gradients. Training modes and requires_grad
    are those of `model`.
    """
    return cut_to(model, groups, other_units(groups, removed))


def cut_to(model: nn.Module, groups: Sequence[Group], kept: Sequence[Sequence[int]]) -> nn.Module:
    """A copy of `model` that has of each group the units `kept` alone, in this order; see `cut`.

    The order changes nothing of what the copy computes.
    """
    channels: dict[_Place, npt.NDArray[np.int64]] = {}
    stay: dict[_Place, npt.NDArray[np.bool_]] = {}
    for group, units in zip(groups, kept, strict=True):
        for member in group.members:
            place: _Place = (member.layer, member.side)
            if place not in channels:
                channels[place] = np.arange(_width(model, place))
                stay[place] = np.ones(len(channels[place]), dtype=np.bool_)
            channels[place][member.index[sorted(units)]] = member.index[list(units)]
            stay[place][member.index] = False
            stay[place][member.index[list(units)]] = True
    return _with_channels(model, {at: channels[at][stay[at]].tolist() for at in channels})


def _with_channels(model: nn.Module, channels: Mapping[_Place, list[int]]) -> nn.Module:
    """A copy of `model` whose layers have these of their channels, in this order."""
    made = without_data(model)
    changed = {name for name, _ in channels}
    _fill(made, model, {id(model.get_submodule(name)) for name in changed})
    for name in dict.fromkeys(name for name, _ in channels):
        outputs, inputs = (
            channels.get((name, side), list(range(_width(model, (name, side))))) for side in _SIDES
        )
        _select(made.get_submodule(name), outputs, inputs)
    for layer, dense in zip(made.modules(), model.modules(), strict=True):
        layer.training = dense.training
    for parameter, full in zip(made.parameters(), model.parameters(), strict=True):
        parameter.requires_grad_(full.requires_grad)
    return made


def _fill(twin: nn.Module, model: nn.Module, narrowed: Collection[int]) -> None:
    """Replace the twin's empty parameters and buffers by copies of those of `model`.

    What layers share in `model`, they share in the twin. Parameters of layers whose ids are in
    `narrowed` are not copied, because `_select` makes new ones.
    """
    copies: dict[int, nn.Parameter] = {}
    for layer, original in zip(twin.modules(), model.modules(), strict=True):
        for name, parameter in original._parameters.items():
            if parameter is not None:
                if id(parameter) not in copies:
                    values = parameter.detach()
                    copied = values if id(original) in narrowed else values.clone()
                    copies[id(parameter)] = nn.Parameter(copied)
                layer._parameters[name] = copies[id(parameter)]
        for name, buffer in original._buffers.items():
            if buffer is not None:
                layer._buffers[name] = buffer.clone()


def _select(layer: nn.Module, outputs: list[int], inputs: list[int]) -> None:
    """Keep these output and input channels of a layer, in this order, in place."""
    if isinstance(layer, _BatchNorm):
        layer.num_features = len(outputs)
        for tensors in (layer._parameters, layer._buffers):
            _keep(tensors, outputs)
        return
    assert isinstance(layer, _ConvNd | nn.Linear)
    wide, high = _WIDTHS[isinstance(layer, _ConvNd)]
    weight = _entries(by_output(layer, layer.weight.detach()), 0, outputs)
    if is_depthwise(layer):
        inputs, layer.groups = outputs, len(outputs)
    elif inputs != list(range(getattr(layer, wide))):
        weight = _of_inputs(weight, convolution_groups(layer), inputs)
    _keep(layer._parameters, outputs)
    layer.weight = nn.Parameter(as_stored(layer, weight))
    setattr(layer, high, len(outputs))
    setattr(layer, wide, len(inputs))


_Place = tuple[str, Side]
"""A side of the layer of this name."""
_SIDES: tuple[Side, Side] = ("out", "in")
_WIDTHS = {True: ("in_channels", "out_channels"), False: ("in_features", "out_features")}
"""Whether a layer is a convolution -> the names of its widths."""


def _width(model: nn.Module, place: _Place) -> int:
    """The number of channels that a layer has on a side."""
    name, side = place
    layer = model.get_submodule(name)
    if isinstance(layer, _BatchNorm):
        return layer.num_features
    width: int = getattr(layer, _WIDTHS[isinstance(layer, _ConvNd)][side == "out"])
    return width


def _entries(tensor: torch.Tensor, dim: int, channels: list[int]) -> torch.Tensor:
    """The entries of these channels, contiguous in memory."""
    return tensor.index_select(dim, torch.tensor(channels, dtype=torch.long, device=tensor.device))


def _keep(tensors: dict[str, Any], channels: list[int]) -> None:
    """Keep only these channels of all parameters or buffers but the weight of a filter."""
    for name, tensor in tensors.items():
        if tensor is not None and tensor.ndim and (name != "weight" or tensor.ndim == 1):
            kept = _entries(tensor.detach(), 0, channels)
            tensors[name] = nn.Parameter(kept) if isinstance(tensor, nn.Parameter) else kept


def _of_inputs(weight: torch.Tensor, groups: int, inputs: list[int]) -> torch.Tensor:
    """The weight (outputs, inputs / groups, …) for these inputs, equally many of every group."""
    width = weight.shape[1]
    blocks = [
        _entries(rows, 1, [channel - g * width for channel in inputs if channel // width == g])
        for g, rows in enumerate(weight.chunk(groups))
    ]
    return torch.cat(blocks)


def other_units(groups: Sequence[Group], units: Sequence[Sequence[int]]) -> list[list[int]]:
    """All units of each group but `units`: the kept ones given the removed ones, or vice versa."""
    return [
        sorted(set(range(group.width)) - set(listed))
        for group, listed in zip(groups, units, strict=True)
    ]


def kept_channels(
    groups: Sequence[Group], removed: Sequence[Sequence[int]]
) -> dict[str, list[int]]:
    """The first layer of each group -> its output channels that stay."""
    kept = other_units(groups, removed)
    return {group.name: group.channels(units) for group, units in zip(groups, kept, strict=True)}
