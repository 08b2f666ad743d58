"""Cuts a network: makes a narrower copy without the channels of the removed units."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from prunetune.compress.graph.groups import Group, Side, is_depthwise
from prunetune.compress.graph.tracing import without_data


def cut(model: nn.Module, groups: Sequence[Group], removed: Sequence[Sequence[int]]) -> nn.Module:
    """A copy of `model` without the units `removed` of each group; `model` stays as it is.

    The copy shares no memory with `model` and has no gradients. Training modes and requires_grad
    are those of `model`.
    """
    narrow = without_data(model)
    _fill(narrow, model)
    removed_channels: dict[str, dict[Side, set[int]]] = {}
    for group, units in zip(groups, removed, strict=True):
        for member in group.members:
            sides = removed_channels.setdefault(member.layer, {"out": set(), "in": set()})
            sides[member.side].update(member.index[list(units)].ravel().tolist())
    for name, sides in removed_channels.items():
        _narrow(narrow.get_submodule(name), sides["out"], sides["in"])
    for layer, dense in zip(narrow.modules(), model.modules(), strict=True):
        layer.training = dense.training
    for parameter, full in zip(narrow.parameters(), model.parameters(), strict=True):
        parameter.requires_grad_(full.requires_grad)
    return narrow


def _fill(twin: nn.Module, model: nn.Module) -> None:
    """Replace the twin's empty parameters and buffers by copies of those of `model`."""
    for layer, original in zip(twin.modules(), model.modules(), strict=True):
        for name, parameter in original._parameters.items():
            if parameter is not None:
                layer._parameters[name] = nn.Parameter(parameter.detach().clone())
        for name, buffer in original._buffers.items():
            if buffer is not None:
                layer._buffers[name] = buffer.clone()


def _narrow(layer: nn.Module, removed_out: set[int], removed_in: set[int]) -> None:
    """Remove these output and input channels of a layer, in place."""
    if isinstance(layer, _BatchNorm):
        outputs = _others(layer.num_features, removed_out)
        layer.num_features = len(outputs)
        _keep_outputs(layer, outputs)
    elif isinstance(layer, nn.Linear):
        outputs = _others(layer.out_features, removed_out)
        inputs = _others(layer.in_features, removed_in)
        layer.out_features, layer.in_features = len(outputs), len(inputs)
        _keep_outputs(layer, outputs)
        layer.weight = nn.Parameter(_entries(layer.weight.detach(), 1, inputs))
    else:
        assert isinstance(layer, _ConvNd)
        outputs = _others(layer.out_channels, removed_out)
        _keep_outputs(layer, outputs)
        if is_depthwise(layer):
            layer.groups = layer.in_channels = len(outputs)
        elif removed_in:
            inputs = _others(layer.in_channels, removed_in)
            layer.weight = nn.Parameter(_weight_of_inputs(layer, inputs))
            layer.in_channels = len(inputs)
        layer.out_channels = len(outputs)


def _others(width: int, channels: set[int]) -> list[int]:
    return [channel for channel in range(width) if channel not in channels]


def _entries(tensor: torch.Tensor, dim: int, channels: list[int]) -> torch.Tensor:
    """The entries of these channels, contiguous in memory."""
    return tensor.index_select(dim, torch.tensor(channels, dtype=torch.long, device=tensor.device))


def _keep_outputs(layer: nn.Module, outputs: list[int]) -> None:
    """Keep only these output channels of all parameters and buffers, in place."""
    for name, parameter in layer._parameters.items():
        if parameter is not None:
            layer._parameters[name] = nn.Parameter(_entries(parameter.detach(), 0, outputs))
    for name, buffer in layer._buffers.items():
        if buffer is not None and buffer.ndim:
            layer._buffers[name] = _entries(buffer, 0, outputs)


def _weight_of_inputs(conv: _ConvNd, inputs: list[int]) -> torch.Tensor:
    """The weight for these input channels, equally many of every convolution group."""
    weight = conv.weight.detach()
    width = conv.in_channels // conv.groups
    blocks = [
        _entries(rows, 1, [channel - g * width for channel in inputs if channel // width == g])
        for g, rows in enumerate(weight.chunk(conv.groups))
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
