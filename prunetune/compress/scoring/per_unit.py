"""Sums per unit over the weights of every kind of layer, for criteria that look at weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from prunetune.compress.graph.groups import Group, Member
from prunetune.compress.graph.layout import by_output, channel_sums
from prunetune.config.parts import Params

Normalize = Annotated[
    Literal["none", "mean"],
    Field(description="mean: divide a group's scores by their mean before groups are compared"),
]
Reduction = Annotated[
    Literal["mean", "first"],
    Field(description="mean: over all layers of a group; first: the filters of its first layer"),
]


class WeightParams(Params):
    """How the layers of a group become one score, and how groups become comparable."""

    normalize: Normalize = "mean"
    reduction: Reduction = "mean"


def power_sums(model: nn.Module, group: Group, p: int, reduction: str) -> Tensor:
    """(units,) Σ |w|^p over a unit's weights in one layer, then the mean over the group's layers.

    The weights are filters, slices of the readers' filters, and scales (not shifts) of batch norms.
    """
    power = torch.abs if p == 1 else torch.square
    return unit_means(model, group.members, lambda _, weight: power(weight), reduction)


def unit_means(
    model: nn.Module,
    members: Sequence[Member],
    values: Callable[[str, Tensor], Tensor],
    reduction: str,
) -> Tensor:
    """(units,) the sum of `values` over a unit's weights in one layer, then the mean over layers.

    `values(layer, weight)` gets the layer's name and its weight (float64, on the CPU), and returns
    one value for each element of the weight.
    """
    counted = members[:1] if reduction == "first" else members
    sums = [_unit_sums(model, member, values) for member in counted]
    return torch.stack([layer_sums for layer_sums in sums if layer_sums is not None]).mean(0)


def normalized(scores: Tensor, normalize: str) -> Tensor:
    """The scores, divided by their mean if `normalize` is "mean"; all-zero scores stay zero."""
    mean = scores.mean()
    return scores / mean if normalize == "mean" and mean > 0 else scores


def batch_norms(model: nn.Module, group: Group) -> list[tuple[Member, Tensor]]:
    """The batch norms of a group that have a scale, each with its scale."""
    layers = [(member, model.get_submodule(member.layer)) for member in group.members]
    return [
        (member, layer.weight)
        for member, layer in layers
        if isinstance(layer, _BatchNorm) and layer.affine
    ]


def filters(layer: nn.Module) -> Tensor:
    """The weights of a convolution or linear layer as (out channels, all the rest), float64."""
    assert isinstance(layer, _ConvNd | nn.Linear)
    return by_output(layer, layer.weight.detach().cpu().double()).flatten(1)


def per_unit(values: Tensor, member: Member) -> Tensor:
    """(units,) values (channels,) summed over the channels of each unit."""
    return values[torch.from_numpy(member.index)].sum(1)


def _unit_sums(
    model: nn.Module, member: Member, values: Callable[[str, Tensor], Tensor]
) -> Tensor | None:
    """(units,) sums of the values of a layer's weights, or None for a norm without a scale."""
    layer = model.get_submodule(member.layer)
    if layer.weight is None:
        return None
    assert isinstance(layer.weight, Tensor)
    valued = values(member.layer, layer.weight.detach().cpu().double())
    return per_unit(channel_sums(layer, valued, member.side), member)
