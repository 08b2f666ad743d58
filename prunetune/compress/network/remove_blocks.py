"""Residual blocks that vanish: without inner channels a block is only its shortcut.

Its family knows what such a block lacks: the layers of a network with `inner` 0 against those of
one without. They go together, the shift of a batch norm behind the sum's last layer included, as
Crowley et al. (1810.04622) have it: a branch without channels adds nothing, not a constant.

A block can vanish if one group has all channels in it. In a bottleneck there are two, and either
alone would leave a constant: they keep a channel each.
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
    """Group number -> the layers of the branch that vanishes with it."""
    found: dict[int, tuple[str, ...]] = {}
    for branch in _branches(architecture):
        layers = set(branch)
        inside = [i for i, g in enumerate(groups) if all(m.layer in layers for m in g.members)]
        if len(inside) == 1:
            found[inside[0]] = branch
    return found


def narrow(
    model: nn.Module,
    architecture: Architecture,
    groups: Sequence[Group],
    removed: Sequence[Sequence[int]],
) -> tuple[nn.Module, Architecture]:
    """A copy of `model` without these units, and its architecture; see `cut`.

    A block that loses all its inner channels has inner width 0 in the architecture's parameters.
    """
    gone = [
        group for group, units in zip(groups, removed, strict=True) if len(units) == group.width
    ]
    left = [() if g in gone else units for g, units in zip(groups, removed, strict=True)]
    found = cut(model, groups, left)
    if gone:
        found, architecture = _without(found, architecture, {group.name for group in gone})
    return found, architecture.model_copy(update={"layers": layer_widths(found)})


def _without(
    model: nn.Module, architecture: Architecture, names: Collection[str]
) -> tuple[nn.Module, Architecture]:
    """The network built anew without the branches that have these layers, with its weights."""
    family, params = family_of(architecture)
    inner = [
        0 if set(branch) & set(names) else width
        for branch, width in zip(_branches(architecture), family.inner_widths(params), strict=True)
    ]
    bare = _with_inner(architecture, tuple(inner))
    with torch.device("meta"):
        left = layer_widths(family_network(bare))
    layers = {name: widths for name, widths in layer_widths(model).items() if name in left}
    bare = bare.model_copy(update={"layers": layers})
    like = next(model.parameters())
    found = rebuild(bare).to(like.device, like.dtype)
    weights = model.state_dict()
    found.load_state_dict({name: weights[name] for name in found.state_dict()})
    for name, layer in found.named_modules():
        layer.training = model.get_submodule(name).training
    for name, parameter in found.named_parameters():
        parameter.requires_grad_(model.get_parameter(name).requires_grad)
    return found, bare


def _branches(architecture: Architecture) -> list[tuple[str, ...]]:
    """The layers that each block lacks without inner channels; none where that is not defined."""
    family, params = family_of(architecture)
    blocks = len(family.inner_widths(params))
    by_block: dict[str, list[str]] = {}
    try:
        whole, bare = (_layers(architecture, inner) for inner in (None, (0,) * blocks))
    except ValueError:
        return []
    for name in whole:
        if name not in bare:
            by_block.setdefault(name.rpartition(".")[0], []).append(name)
    return [tuple(layers) for layers in by_block.values()] if len(by_block) == blocks else []


def _layers(architecture: Architecture, inner: tuple[int, ...] | None) -> Collection[str]:
    with torch.device("meta"):
        return layer_widths(family_network(_with_inner(architecture, inner)))


def _with_inner(architecture: Architecture, inner: tuple[int, ...] | None) -> Architecture:
    """The family's network with these inner widths; None: as many as its stages have."""
    family, params = family_of(architecture)
    return with_widths(architecture, family.stage_widths(params), inner)
