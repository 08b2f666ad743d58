"""What the criteria that look at weights share: per-unit sums over every kind of layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from prunetune.compress.graph.groups import Group, Member
from prunetune.config.parts import Params

Normalize = Annotated[
    Literal["none", "mean"],
    Field(description="mean: divide a group's scores by their mean before groups are compared"),
]
Reduction = Annotated[
    Literal["mean", "first"],
    Field(description="mean: over all layers of a group; first: its first layer's filters alone"),
]


class WeightParams(Params):
    """How a group's layers are reduced to one score, and made comparable between groups."""

    normalize: Normalize = "mean"
    reduction: Reduction = "mean"


def power_sums(model: nn.Module, group: Group, p: int, reduction: str) -> Tensor:
    """Σ |w|^p over a unit's weights in a layer, then the mean over the group's layers.

    Weights are filters, readers' slices of them, and batch norm scales (not shifts).
    """
    power = torch.abs if p == 1 else torch.square
    return unit_means(model, group.members, lambda _, weight: power(weight), reduction)


def unit_means(
    model: nn.Module,
    members: Sequence[Member],
    values: Callable[[str, Tensor], Tensor],
    reduction: str,
) -> Tensor:
    """The sum over a unit's weights in a layer of what `values` makes of them, mean over layers.

    `values(layer, weight)` is called with the layer's name and its weight, float64 on the CPU.
    """
    sums = [
        _unit_sums(model, m, values) for m in (members[:1] if reduction == "first" else members)
    ]
    return torch.stack([s for s in sums if s is not None]).mean(0)


def normalized(score: Tensor, how: str) -> Tensor:
    """The scores, divided by their mean if asked for; all-zero scores stay."""
    mean = score.mean()
    return score / mean if how == "mean" and mean > 0 else score


def batch_norms(model: nn.Module, group: Group) -> list[tuple[Member, Tensor]]:
    """The group's batch norms that have a scale, each with it."""
    layers = [(member, model.get_submodule(member.layer)) for member in group.members]
    return [(m, n.weight) for m, n in layers if isinstance(n, _BatchNorm) and n.affine]


def filters(layer: nn.Module) -> Tensor:
    """The weights of a convolution or linear layer as (out channels, everything else), float64."""
    assert isinstance(layer, _ConvNd | nn.Linear)
    return layer.weight.detach().cpu().double().flatten(1)


def per_unit(values: Tensor, member: Member) -> Tensor:
    """Values per channel, summed over each unit's channels."""
    return values[torch.from_numpy(member.index)].sum(1)


def _unit_sums(
    model: nn.Module, member: Member, values: Callable[[str, Tensor], Tensor]
) -> Tensor | None:
    """(units,) sums of the values of a layer's weights, or None for a norm without scale."""
    layer = model.get_submodule(member.layer)
    if layer.weight is None:
        return None
    assert isinstance(layer.weight, Tensor)
    found = values(member.layer, layer.weight.detach().cpu().double())
    if member.side == "out":
        return per_unit(found.flatten(1).sum(1) if found.dim() > 1 else found, member)
    groups = layer.groups if isinstance(layer, _ConvNd) else 1
    slices = found.shape[1]  # input channels that each filter reads
    by_input = found.reshape(groups, len(found) // groups, slices, -1).sum((1, 3))
    return per_unit(by_input.flatten(), member)
