"""Cutting: a narrower copy of a network, without the channels of the units that go."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from prunetune.compress.graph.groups import Group, Side, is_depthwise
from prunetune.compress.graph.tracing import without_data


def cut(model: nn.Module, groups: Sequence[Group], removed: Sequence[Sequence[int]]) -> nn.Module:
    """A copy of `model` without the units `removed` of each group; `model` is not touched.

    The copy shares no memory and carries no gradients; modes and requires_grad are as before.
    """
    narrow = without_data(model)
    _fill(narrow, model)
    gone: dict[str, dict[Side, set[int]]] = {}
    for group, units in zip(groups, removed, strict=True):
        for member in group.members:
            sides = gone.setdefault(member.layer, {"out": set(), "in": set()})
            sides[member.side].update(member.index[list(units)].ravel().tolist())
    for name, sides in gone.items():
        _narrow(narrow.get_submodule(name), sides["out"], sides["in"])
    for layer, dense in zip(narrow.modules(), model.modules(), strict=True):
        layer.training = dense.training
    for parameter, full in zip(narrow.parameters(), model.parameters(), strict=True):
        parameter.requires_grad_(full.requires_grad)
    return narrow


def _fill(twin: nn.Module, model: nn.Module) -> None:
    """Copies of all parameters and buffers of `model`, in place of the twin's empty ones."""
    for layer, like in zip(twin.modules(), model.modules(), strict=True):
        for name, parameter in like._parameters.items():
            if parameter is not None:
                layer._parameters[name] = nn.Parameter(parameter.detach().clone())
        for name, buffer in like._buffers.items():
            if buffer is not None:
                layer._buffers[name] = buffer.clone()


def _narrow(layer: nn.Module, gone_out: set[int], gone_in: set[int]) -> None:
    """Take these channels out of a layer, in place."""
    if isinstance(layer, _BatchNorm):
        outside = _left(layer.num_features, gone_out)
        layer.num_features = len(outside)
        _keep(layer, outside)
    elif isinstance(layer, nn.Linear):
        outside = _left(layer.out_features, gone_out)
        inside = _left(layer.in_features, gone_in)
        layer.out_features, layer.in_features = len(outside), len(inside)
        _keep(layer, outside)
        layer.weight = nn.Parameter(_at(layer.weight.detach(), 1, inside))
    else:
        assert isinstance(layer, _ConvNd)
        outside = _left(layer.out_channels, gone_out)
        _keep(layer, outside)
        if is_depthwise(layer):
            layer.groups = layer.in_channels = len(outside)
        elif gone_in:
            inside = _left(layer.in_channels, gone_in)
            layer.weight = nn.Parameter(_reading(layer, inside))
            layer.in_channels = len(inside)
        layer.out_channels = len(outside)


def _left(width: int, gone: set[int]) -> list[int]:
    return [channel for channel in range(width) if channel not in gone]


def _at(tensor: torch.Tensor, dim: int, channels: list[int]) -> torch.Tensor:
    """These entries, contiguous in memory."""
    return tensor.index_select(dim, torch.tensor(channels, dtype=torch.long, device=tensor.device))


def _keep(layer: nn.Module, outside: list[int]) -> None:
    """These entries alone of everything that a layer has per output channel."""
    for name, parameter in layer._parameters.items():
        if parameter is not None:
            layer._parameters[name] = nn.Parameter(_at(parameter.detach(), 0, outside))
    for name, buffer in layer._buffers.items():
        if buffer is not None and buffer.ndim:
            layer._buffers[name] = _at(buffer, 0, outside)


def _reading(conv: _ConvNd, inside: list[int]) -> torch.Tensor:
    """The weight of a convolution for these input channels, as many of every convolution group."""
    weight = conv.weight.detach()
    width = conv.in_channels // conv.groups
    blocks = [
        _at(rows, 1, [channel - g * width for channel in inside if channel // width == g])
        for g, rows in enumerate(weight.chunk(conv.groups))
    ]
    return torch.cat(blocks)


def other_units(groups: Sequence[Group], units: Sequence[Sequence[int]]) -> list[list[int]]:
    """All units of each group but these: what stays where they go, or the other way round."""
    return [
        sorted(set(range(group.width)) - set(some))
        for group, some in zip(groups, units, strict=True)
    ]


def kept_channels(
    groups: Sequence[Group], removed: Sequence[Sequence[int]]
) -> dict[str, list[int]]:
    """The output channels of each group's first layer that stay."""
    kept = other_units(groups, removed)
    return {group.name: group.channels(units) for group, units in zip(groups, kept, strict=True)}
