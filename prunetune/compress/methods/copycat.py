"""Copycat: the widths of a pruned network, scaled to other budgets (Crowley et al., 1810.04622).

A network is pruned once. Its profile, the number of channels that each group kept, is scaled by one
factor to get networks of the same shape at other budgets. These are trained from scratch. The
factor is the largest that fits the budget. Because widths are integers, the same repairs may be
needed as after a ranking of channels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import ConfigDict, Field

from prunetune.compress.budget.costs import CostTable
from prunetune.compress.budget.ranking import Step
from prunetune.compress.budget.select import select
from prunetune.compress.graph.groups import Group
from prunetune.compress.method import CompactModel, Context, Target, try_to_reach
from prunetune.compress.network.rebuild import rebuild
from prunetune.compress.network.undrawn import undrawn
from prunetune.compress.proof.proved_groups import prunable_groups
from prunetune.config.file.fields import WrittenBudget
from prunetune.config.parts import Params
from prunetune.plan import Reach
from prunetune.records.architecture import Architecture
from prunetune.registry import methods

_PROFILES = 3
"""Profiles that `reach` tries: the dense one, then random ones."""


class CopycatParams(Params):
    """Parameters of `copycat`."""

    model_config = ConfigDict(populate_by_name=True)

    arm: Annotated[str, Field(alias="from", description="the arm whose profile is scaled")]
    at: Annotated[WrittenBudget, Field(description="that arm's budget, whose profile is scaled")]


@methods.register("copycat", params=CopycatParams)
class Copycat:
    """The source arm's profile at one budget, scaled to this one, with fresh weights."""

    inherits: ClassVar[bool] = False
    takes_architecture: ClassVar[bool] = True

    def __init__(self, params: CopycatParams) -> None:
        self.params = params

    def run(self, context: Context) -> CompactModel:
        """The scaled network; at the source's own budget, the source's architecture.

        Raises:
            Infeasible: the scaled widths are too coarse or too wide for the target.
        """
        assert context.source is not None, "copycat needs its source's architecture"
        profile = Profile.of(context.source, context.architecture)
        target = context.target
        if target.lowest <= profile.macs <= target.macs:
            return CompactModel(context.build(context.source), context.source, profile.macs)
        widths, departures = profile.scaled(profile.kept, target)
        scaled, macs = profile.architecture(widths), profile.costs.macs(widths)
        return CompactModel(context.build(scaled), scaled, macs, departures=departures)

    def reach(self, architecture: Architecture, targets: Sequence[Target]) -> tuple[Reach, ...]:
        """Whether the method meets each target, tried with a few profiles.

        The source's search has yet to find the profile that will be scaled. Only the smallest
        network is known exactly.
        """
        dense = Profile.of(architecture, architecture)
        smallest = dense.costs.macs([1] * len(dense.kept))
        return tuple(_reach(dense, target, smallest) for target in targets)


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

    def scaled(self, kept: Sequence[int], target: Target) -> tuple[tuple[int, ...], dict[str, Any]]:
        """The widths `kept` times the largest factor that fits, and how they depart from that.

        Every group has at least one unit, and at most as many as in the dense network.

        Raises:
            Infeasible: no factor fits, or the widths are too coarse.
        """
        steps = sorted(_steps(kept, self.most), key=lambda step: -step[0])
        ranked = [step for _, step in steps]
        selection = select(ranked, self.costs, target.macs, target.lowest)
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


def _reach(dense: Profile, target: Target, smallest: int) -> Reach:
    """Whether the dense profile or a random one, each drawn from its own seed, meets the target."""

    def attempt(seed: int) -> int:
        draw = np.random.default_rng(seed)
        kept = [int(draw.integers(1, most + 1)) for most in dense.most] if seed else dense.kept
        widths, _ = dense.scaled(kept, target)
        return dense.costs.macs(widths)

    return try_to_reach(target, smallest, (partial(attempt, seed) for seed in range(_PROFILES)))
