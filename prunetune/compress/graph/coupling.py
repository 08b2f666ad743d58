"""Follows the channels of layers through torch-pruning's graph, to all that depends on them.

torch-pruning's own walk goes every path through the graph, and need not come to an end: where a
slice of channels meets another, each way round shifts the channels by some. This walk visits every
channel of every node once. Where channels meet they are one unit, such as a channel of the one half
and its gate in the other half of a gated linear unit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from torch import nn
from torch.nn.modules.conv import _ConvNd
from torch_pruning._helpers import _HybridIndex
from torch_pruning.dependency.index_mapping import update_index_mapping


@dataclass(frozen=True)
class Channels:
    """The channels of some units on one side of a layer, a parameter or an operation."""

    module: Any
    handler: Any
    """torch-pruning's function that would remove them; it tells the side."""
    pairs: list[tuple[int, int]]
    """(unit, channel), sorted."""


def coupled(graph: Any, ignored: Collection[nn.Module]) -> Iterator[list[Channels]]:
    """All that depends on the outputs of a layer, for one layer after the other.

    A layer whose outputs have come before is passed over, and so is what has outputs of `ignored`.
    """
    update_index_mapping(graph)
    seen: set[Any] = set()
    limit = _most_channels(graph)
    for layer in [m for m in graph.module2node if isinstance(m, _ConvNd | nn.Linear)]:
        if layer in seen or layer in ignored:
            continue
        sides = _walk(graph, layer, limit)
        written = {s.module for s in sides if graph.is_out_channel_pruning_fn(s.handler)}
        seen |= written
        if written.isdisjoint(ignored):
            yield sides


def _most_channels(graph: Any) -> int:
    """More channels than any node has; a walk that goes round in circles may count on for ever."""
    layers = [m for m in graph.module2node if isinstance(m, _ConvNd | nn.Linear)]
    pruners = [graph.get_pruner_of_module(layer) for layer in layers]
    return sum(
        pruner.get_in_channels(layer) + pruner.get_out_channels(layer)
        for layer, pruner in zip(layers, pruners, strict=True)
    )


def _walk(graph: Any, layer: nn.Module, limit: int) -> list[Channels]:
    pruner = graph.get_pruner_of_module(layer)
    units = _Units(pruner.get_out_channels(layer))
    start = graph.module2node[layer], pruner.prune_out_channels
    places: dict[Any, dict[int, int]] = {start: {i: i for i in range(units.count)}}
    """(node, function) -> channel -> a root channel that depends on it."""
    to_visit = [(*start, [_HybridIndex(idx=i, root_idx=i) for i in range(units.count)])]
    while to_visit:
        node, function, indices = to_visit.pop()
        for dependency in node.dependencies:
            if not dependency.is_triggered_by(function):
                continue
            mapped = indices
            for mapping in filter(None, dependency.index_mapping):
                mapped = mapping(mapped)
            place = dependency.target, dependency.handler
            met = units.meet(places.setdefault(place, {}), mapped)
            new = [index for index in met if 0 <= index.idx < limit]
            if new:
                to_visit.append((*place, new))
    numbers = units.numbers()
    return [
        Channels(node.module, handler, sorted((numbers[root], i) for i, root in roots.items()))
        for (node, handler), roots in places.items()
        if roots
    ]


class _Units:
    """The channels of a layer, joined to units where they meet."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._parents = list(range(count))

    def meet(self, roots: dict[int, int], indices: Collection[Any]) -> list[Any]:
        """Bring channels to a place; those that are new there. Others join who is there already."""
        new = []
        for index in indices:
            if index.idx not in roots:
                roots[index.idx] = index.root_idx
                new.append(index)
            elif roots[index.idx] != index.root_idx:
                self._parents[self._first(roots[index.idx])] = self._first(index.root_idx)
        return new

    def numbers(self) -> list[int]:
        """The number of each channel's unit, in the order of the units' first channels."""
        firsts = [self._first(channel) for channel in range(self.count)]
        order = {first: number for number, first in enumerate(dict.fromkeys(firsts))}
        return [order[first] for first in firsts]

    def _first(self, channel: int) -> int:
        while self._parents[channel] != channel:
            self._parents[channel] = self._parents[self._parents[channel]]
            channel = self._parents[channel]
        return channel
