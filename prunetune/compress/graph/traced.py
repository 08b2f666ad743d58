"""The groups that torch-pruning and the network's own modules name; nothing is proved yet.

torch-pruning follows channels through autograd's graph of one forward pass. It takes every
operation that it does not know for one that acts on each channel alone, so its groups may be wrong.
Groups whose channels cannot be so are refused here (see `faults.py`). `prunetune.compress.proof`
tries the others.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from prunetune.compress.graph.channel_graph import trace
from prunetune.compress.graph.faults import mistake_in, overlap_of
from prunetune.compress.graph.gates import gated_layers
from prunetune.compress.graph.groups import (
    Group,
    IntArray,
    Member,
    Refused,
    declared_groups,
    is_depthwise,
    is_link,
)
from prunetune.compress.graph.layout import Side
from prunetune.compress.graph.tracing import without_data
from prunetune.protocols import Shape


@dataclass(frozen=True)
class Traced:
    """What tracing a network found."""

    groups: tuple[Group, ...]
    """Groups that may be right, in the network's order."""
    refused: tuple[Refused, ...]
    """Groups that cannot be cut, whatever is proved."""


def traced_groups(
    model: nn.Module, input_shape: Shape, ignored: Sequence[nn.Module] = ()
) -> Traced:
    """The coupled channels of a network, but for those of layers in `ignored`, which stay whole.

    Only a copy without data is traced.

    Raises:
        ValueError: channels cannot be traced through this network; names a layer.
    """
    twin = without_data(model)
    layers = dict(twin.named_modules())
    names = {id(layer): name for name, layer in model.named_modules()}
    order = {name: i for i, name in enumerate(names.values())}
    fixed = {names[id(layer)] for layer in ignored}
    declared = declared_groups(model)
    declared_sides = {(member.layer, member.side) for group in declared for member in group.members}
    untraced = fixed | {layer for layer, side in declared_sides if side == "out"}
    graph = trace(twin, input_shape, [twin.get_submodule(name) for name in untraced])
    found = [_group(graph, raw, order) for raw in graph.raw_groups]
    found = [g for g in found if declared_sides.isdisjoint(_sides(g))]
    found += [g for g in declared if fixed.isdisjoint(member.layer for member in g.writers)]
    found.sort(key=lambda group: order[group.layer if isinstance(group, Refused) else group.name])
    checked = list(_checked(found, layers, {id(group) for group in declared}))
    return Traced(
        tuple(g for g in checked if isinstance(g, Group)),
        tuple(g for g in checked if isinstance(g, Refused)),
    )


def _sides(group: Group | Refused) -> Collection[tuple[str, Side]]:
    if isinstance(group, Refused):
        return group.channels.keys()
    return {(member.layer, member.side) for member in group.members}


def _checked(
    groups: Sequence[Group | Refused], layers: Mapping[str, nn.Module], declared: Collection[int]
) -> Iterator[Group | Refused]:
    """The groups, those of them refused whose channels cannot be so."""
    accepted: list[Group] = []
    for group in groups:
        if isinstance(group, Group):
            whole = id(group) not in declared
            fault = mistake_in(group, layers, whole=whole) or overlap_of(group, accepted)
            if fault is None:
                accepted.append(group)
            yield Refused.of(group, fault, mistaken=True) if fault else group
        else:
            yield group


def _group(graph: Any, raw: Any, order: Mapping[str, int]) -> Group | Refused:
    """One of torch-pruning's groups as a `Group`, refused if its units may not be removed."""
    width = 1 + max(unit for unit, _ in raw[0].pairs)
    members: list[tuple[Member, nn.Module]] = []
    refused: list[str] = []
    for item in raw:
        module, name = item.module, graph.name_of(item.module)
        if name is None or name not in order:
            if isinstance(module, nn.Parameter):
                refused.append(
                    f"they meet a parameter outside of layers, {graph.parameter(module)}"
                )
            continue  # torch-pruning's own nodes for sums, concatenations and reshapes
        if isinstance(module, nn.PReLU) and module.num_parameters == 1:
            continue  # it acts on each channel alone, as activations without parameters do
        if not isinstance(module, _ConvNd | nn.Linear | _BatchNorm):
            refused.append(f"{name} ({type(module).__name__}) is a kind of layer that is not cut")
            continue
        side: Side = "out" if graph.is_output(item) else "in"
        index = _index(item.pairs, width)
        if index is None:
            refused.append(f"{name} does not have equally many channels of each of them")
            index = np.array([[channel for _, channel in item.pairs]], dtype=np.int64)
        members.append((Member(name, side, index), module))
    members.sort(key=lambda pair: (_rank(*pair), order[pair[0].layer]))
    written = [layer for member, layer in members if member.side == "out"]
    if width == 1 and any(map(graph.is_gate, written)):
        refused.append("it is one channel that scales many, so it is kept")
    if refused:
        return Refused.of(Group(tuple(member for member, _ in members)), refused[0])
    return _bundle(members, width, _gated(graph, members))


def _gated(graph: Any, members: Sequence[tuple[Member, nn.Module]]) -> list[str]:
    """The layers whose outputs carry the gates of a group with these members."""
    written = [layer for member, layer in members if member.side == "out"]
    links = [layer for layer in written if is_link(layer)]
    sources = [layer for layer in written if layer not in links] or written[:1]
    return [graph.name_of(layer) for layer in gated_layers(graph, sources, links)]


def _rank(member: Member, module: nn.Module) -> int:
    """0 for layers that write, 1 for their batch norms, 2 for layers that read."""
    return 2 if member.side == "in" else int(isinstance(module, _BatchNorm))


def _index(sorted_pairs: Sequence[tuple[int, int]], width: int) -> IntArray | None:
    """(width, channels per unit): the channels of each unit; None if they map unevenly."""
    pairs = np.array(sorted_pairs, dtype=np.int64)
    per_unit = len(pairs) // width
    if (
        not per_unit
        or len(pairs) != per_unit * width
        or not np.array_equal(pairs[:, 0], np.repeat(np.arange(width), per_unit))
    ):
        return None
    return pairs[:, 1].reshape(width, per_unit)


def _bundle(
    members: Sequence[tuple[Member, nn.Module]], width: int, gated: Sequence[str]
) -> Group | Refused:
    """The group of these members; refused if its grouped convolutions could not stay equally wide.

    With grouped convolutions a unit has one channel of every convolution group.
    """
    grouped = [
        (member, conv)
        for member, conv in members
        if isinstance(conv, _ConvNd) and conv.groups > 1 and not is_depthwise(conv)
    ]
    fold = math.lcm(*(conv.groups for _, conv in grouped))
    plain = np.arange(width).reshape(-1, 1)
    if grouped and (width % fold or any(not np.array_equal(m.index, plain) for m, _ in grouped)):
        group = Group(tuple(member for member, _ in members))
        why = f"the convolution groups of {grouped[0][0].layer} could not stay equally wide"
        return Refused.of(group, why)
    units = np.arange(width).reshape(fold, -1).T  # (units, fold): the same place in each group
    folded = tuple(
        Member(m.layer, m.side, m.index[units].reshape(len(units), -1)) for m, _ in members
    )
    written = {member.layer: member for member in folded if member.side == "out"}
    return Group(folded, tuple(written[name] for name in gated))
