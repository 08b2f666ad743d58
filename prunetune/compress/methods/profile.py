"""The profile of a network: the width of each of its groups, scaled to a budget by one factor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from prunetune.compress.budget.costs import CostTable
from prunetune.compress.budget.ranking import Step
from prunetune.compress.budget.rounding import multiples_of, select_rounded
from prunetune.compress.budget.select import select
from prunetune.compress.graph.groups import Group
from prunetune.compress.method import Target
from prunetune.compress.network.rebuild import rebuild
from prunetune.compress.network.undrawn import undrawn
from prunetune.compress.proof.proved_groups import prunable_groups
from prunetune.records.architecture import Architecture


@dataclass(frozen=True)
class Profile:
    """The widths of an architecture's groups, and the MACs of networks of other widths."""

    source: Architecture
    groups: tuple[Group, ...]
    kept: tuple[int, ...]
    """The units of each group."""
    most: tuple[int, ...]
    """The units of each group of the dense network, which no group may exceed."""
    costs: CostTable
    """The costs, starting from the widths `most`."""

    @classmethod
    def of(cls, source: Architecture, dense: Architecture) -> Profile:
        """The profile of `source`, a smaller network of the same family as `dense`."""
        with undrawn():
            model = rebuild(source)
        groups = prunable_groups(model, source)
        kept = tuple(group.width for group in groups)
        per_unit = (group.members[0].index.shape[1] for group in groups)
        pairs = zip(groups, per_unit, strict=True)
        dense_widths = (dense.channels()[group.name] // n for group, n in pairs)
        most = tuple(max(pair) for pair in zip(dense_widths, kept, strict=True))
        layers = CostTable.measure(model, source.input_shape, groups).layers
        return cls(source, groups, kept, most, CostTable(layers, most))

    @property
    def macs(self) -> int:
        """The MACs of the source architecture."""
        return self.costs.macs(self.kept)

    def scaled(
        self, kept: Sequence[int], target: Target, round_to: int = 1
    ) -> tuple[tuple[int, ...], dict[str, Any]]:
        """The widths `kept` times the largest factor that fits, and how they depart from that.

        Every group has at least one unit, and at most as many as in the dense network. Widths are
        multiples of `round_to`, but for groups narrower than it.

        Raises:
            Infeasible: no factor fits, or the widths are too coarse.
        """
        steps = sorted(_steps(kept, self.most), key=lambda step: -step[0])
        ranked = [step for _, step in steps]
        if round_to == 1:
            selection = select(ranked, self.costs, target.macs, target.lowest)
        else:
            multiples = multiples_of(round_to, self.groups)
            bounds = (target.macs, target.lowest)
            selection = select_rounded(ranked, self.costs, multiples, *bounds)
        pairs = zip(self.most, selection.removed, strict=True)
        widths = tuple(most - len(removed) for most, removed in pairs)
        if selection.repair == "none":
            return widths, {}
        return widths, {"repair": selection.repair, "channels": selection.n_departures}

    def architecture(self, widths: Sequence[int]) -> Architecture:
        """The source architecture with these group widths."""
        layers = {name: list(sizes) for name, sizes in self.source.layers.items()}
        for group, before, after in zip(self.groups, self.kept, widths, strict=True):
            for member in group.members:
                sizes, change = layers[member.layer], (after - before) * member.index.shape[1]
                for position in _positions(sizes, member.side):
                    sizes[position] += change
        table = {name: tuple(sizes) for name, sizes in layers.items()}
        return self.source.model_copy(update={"layers": table})


def _positions(sizes: Sequence[int], side: str) -> tuple[int, ...]:
    """Which entries of `Architecture.layers` count the channels on this side of a layer."""
    if len(sizes) == 1:
        return (0,)
    if len(sizes) == 3 and 1 < sizes[0] == sizes[1] == sizes[2]:  # depthwise
        return (0, 1, 2)
    return (1,) if side == "out" else (0,)


def _steps(kept: Sequence[int], most: Sequence[int]) -> Iterator[tuple[float, Step]]:
    """Every unit that may be removed, with the factor below which rounding removes it."""
    for group, (width, full) in enumerate(zip(kept, most, strict=True)):
        for unit in range(1, full):
            yield (2 * unit + 1) / (2 * width), Step(group, unit)
