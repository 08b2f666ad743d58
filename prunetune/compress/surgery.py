"""Cutting: a narrower copy of a network, executed by torch-pruning."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from prunetune.compress.groups import Group, Shape, trace, without_data


def cut(
    model: nn.Module,
    input_shape: Shape,
    groups: Sequence[Group],
    removed: Sequence[Sequence[int]],
) -> nn.Module:
    """A copy of `model` without the units `removed` of each group; `model` is not touched.

    The copy shares no memory and carries no gradients; modes and requires_grad are as before.
    """
    narrow = without_data(model)
    graph = trace(narrow, input_shape)
    _fill(narrow, model)
    for group, units in zip(groups, removed, strict=True):
        if len(units):
            first = narrow.get_submodule(group.name)
            out_channels = graph.get_pruner_of_module(first).prune_out_channels
            graph.get_pruning_group(first, out_channels, group.channels(units)).prune()
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


def kept_units(groups: Sequence[Group], removed: Sequence[Sequence[int]]) -> list[list[int]]:
    """The units of each group that stay."""
    return [
        sorted(set(range(group.width)) - set(units))
        for group, units in zip(groups, removed, strict=True)
    ]


def kept_channels(
    groups: Sequence[Group], removed: Sequence[Sequence[int]]
) -> dict[str, list[int]]:
    """The output channels of each group's first layer that stay."""
    kept = kept_units(groups, removed)
    return {group.name: group.channels(units) for group, units in zip(groups, kept, strict=True)}
