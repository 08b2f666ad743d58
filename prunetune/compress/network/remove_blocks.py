"""Removes whole residual blocks: a block that loses all its inner channels is only its shortcut.

The layers of a block's branch are those that the family's network with inner width 0 lacks. They
are removed together, with the batch norm behind the branch's last layer, as in Crowley et al.
(1810.04622): a branch without channels adds nothing to the sum, not the constant of that batch
norm's shift.

A block can be removed if one group has all the channels inside it. A bottleneck has two such
groups. Removing either alone would leave a constant, so each of them keeps a channel.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
from torch import nn

from prunetune.compress.graph.groups import Group
from prunetune.compress.network.cut import cut
from prunetune.compress.network.rebuild import (
    family_network,
    family_of,
    layer_widths,
    rebuild,
    with_widths,
)
from prunetune.records.architecture import Architecture


def removable(architecture: Architecture, groups: Sequence[Group]) -> dict[int, tuple[str, ...]]:
    """Group number -> the layers of the branch that is removed with the group's last unit."""
    branches: dict[int, tuple[str, ...]] = {}
    for branch in _branches(architecture):
        layers = set(branch)
        inside = [i for i, g in enumerate(groups) if all(m.layer in layers for m in g.members)]
        if len(inside) == 1:
            branches[inside[0]] = branch
    return branches


def narrow(
    model: nn.Module,
    architecture: Architecture,
    groups: Sequence[Group],
    removed: Sequence[Sequence[int]],
) -> tuple[nn.Module, Architecture]:
    """A copy of `model` without the units `removed` of each group, and its architecture.

    A block that loses all its inner channels has inner width 0 in the architecture's parameters.
    For all other units see `cut`.
    """
    pairs = list(zip(groups, removed, strict=True))
    emptied = [group for group, units in pairs if len(units) == group.width]
    compact = cut(model, groups, [() if group in emptied else units for group, units in pairs])
    if emptied:
        compact, architecture = _without_branches(
            compact, architecture, {group.name for group in emptied}
        )
    return compact, architecture.model_copy(update={"layers": layer_widths(compact)})


def _without_branches(
    model: nn.Module, architecture: Architecture, layers: Collection[str]
) -> tuple[nn.Module, Architecture]:
    """The network built anew without the branches of these layers, with the weights of `model`."""
    family, params = family_of(architecture)
    inner = [
        0 if set(branch) & set(layers) else width
        for branch, width in zip(_branches(architecture), family.inner_widths(params), strict=True)
    ]
    shorter = _with_inner(architecture, tuple(inner))
    with torch.device("meta"):
        remaining = layer_widths(family_network(shorter))
    table = {name: widths for name, widths in layer_widths(model).items() if name in remaining}
    shorter = shorter.model_copy(update={"layers": table})
    first = next(model.parameters())
    rebuilt = rebuild(shorter).to(first.device, first.dtype)
    weights = model.state_dict()
    rebuilt.load_state_dict({name: weights[name] for name in rebuilt.state_dict()})
    for name, layer in rebuilt.named_modules():
        layer.training = model.get_submodule(name).training
    for name, parameter in rebuilt.named_parameters():
        parameter.requires_grad_(model.get_parameter(name).requires_grad)
    return rebuilt, shorter


def _branches(architecture: Architecture) -> list[tuple[str, ...]]:
    """The layers that each block lacks at inner width 0; empty if the family cannot have that."""
    family, params = family_of(architecture)
    blocks = len(family.inner_widths(params))
    by_block: dict[str, list[str]] = {}
    try:
        whole, shorter = (_layers(architecture, inner) for inner in (None, (0,) * blocks))
    except ValueError:
        return []
    for name in whole:
        if name not in shorter:
            by_block.setdefault(name.rpartition(".")[0], []).append(name)
    return [tuple(layers) for layers in by_block.values()] if len(by_block) == blocks else []


def _layers(architecture: Architecture, inner: tuple[int, ...] | None) -> Collection[str]:
    with torch.device("meta"):
        return layer_widths(family_network(_with_inner(architecture, inner)))


def _with_inner(architecture: Architecture, inner: tuple[int, ...] | None) -> Architecture:
    """The architecture with these inner widths; None: those that follow from its stage widths."""
    family, params = family_of(architecture)
    return with_widths(architecture, family.stage_widths(params), inner)
