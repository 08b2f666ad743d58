"""Copycat: a pruned profile scaled to other budgets, from scratch (Crowley et al., 1810.04622).

Prune once, read off how many channels each group kept, and scale them all by one factor: a family
of networks with the pruned one's shape. The factor is the largest that fits the budget; repairs
that a ranking of channels would need are needed here too, since widths are whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from pydantic import ConfigDict, Field

from prunetune.compress.budget.costs import CostTable
from prunetune.compress.budget.ranking import Step
from prunetune.compress.budget.select import select
from prunetune.compress.graph.groups import Group, prunable_groups
from prunetune.compress.method import CompactModel, Context, Target, try_to_reach
from prunetune.compress.network.rebuild import rebuild
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
    at: Annotated[WrittenBudget, Field(description="the budget at which that arm found it")]


@methods.register("copycat", params=CopycatParams)
class Copycat:
    """The source arm's profile at one budget, scaled to this one, with fresh weights."""

    inherits: ClassVar[bool] = False
    takes_architecture: ClassVar[bool] = True

    def __init__(self, params: CopycatParams) -> None:
        self.params = params

    def run(self, context: Context) -> CompactModel:
        """The scaled network; at the budget of its source, the source's own architecture.

        Raises Infeasible if the widths that the profile leaves are too coarse or too wide.
        """
        assert context.source is not None, "copycat needs its source's architecture"
        profile = Profile.of(context.source, context.architecture)
        target = context.target
        if target.lowest <= profile.macs <= target.macs:
            return CompactModel(context.build(context.source), context.source, profile.macs)
        widths, departures = profile.scaled(profile.kept, target)
        found = profile.architecture(widths)
        macs = profile.costs.macs(widths)
        return CompactModel(context.build(found), found, macs, departures=departures)

    def reach(self, architecture: Architecture, targets: Sequence[Target]) -> tuple[Reach, ...]:
        """What can be met: the smallest network is exact, the rest is tried with a few profiles.

        The profile that will be scaled is not known before its source's search.
        """
        dense = Profile.of(architecture, architecture)
        smallest = dense.costs.macs([1] * len(dense.kept))
        return tuple(_reach(dense, target, smallest) for target in targets)


@dataclass(frozen=True)
class Profile:
    """The widths of an architecture's groups, and what networks of other widths cost."""

    source: Architecture
    groups: tuple[Group, ...]
    kept: tuple[int, ...]
    """Units of each group."""
    most: tuple[int, ...]
    """Of the dense network, which no group outgrows."""
    costs: CostTable
    """From the widths `most` down."""

    @classmethod
    def of(cls, source: Architecture, dense: Architecture) -> Profile:
        """The profile of `source`, a smaller network of the family of `dense`."""
        with torch.device("meta"):
            model = rebuild(source)
        groups = prunable_groups(model, source)
        kept = tuple(group.width for group in groups)
        each = (group.members[0].index.shape[1] for group in groups)
        full = (dense.channels()[group.name] // n for group, n in zip(groups, each, strict=True))
        most = tuple(max(pair) for pair in zip(full, kept, strict=True))
        layers = CostTable.measure(model, source.input_shape, groups).layers
        return cls(source, groups, kept, most, CostTable(layers, most))

    @property
    def macs(self) -> int:
        """Of the architecture itself."""
        return self.costs.macs(self.kept)

    def scaled(self, kept: Sequence[int], target: Target) -> tuple[tuple[int, ...], dict[str, Any]]:
        """The widths `kept` times the largest factor that fits, and how they depart from that.

        Every group has at least one unit, and at most as many as the dense network. Raises
        Infeasible.
        """
        steps = sorted(_steps(kept, self.most), key=lambda step: -step[0])
        ranked = [step for _, step in steps]
        found = select(ranked, self.costs, target.macs, target.lowest)
        pairs = zip(self.most, found.removed, strict=True)
        widths = tuple(most - len(removed) for most, removed in pairs)
        if found.repair == "none":
            return widths, {}
        return widths, {"repair": found.repair, "channels": found.n_departures}

    def architecture(self, widths: Sequence[int]) -> Architecture:
        """The source with these widths."""
        layers = {name: list(sizes) for name, sizes in self.source.layers.items()}
        for group, was, now in zip(self.groups, self.kept, widths, strict=True):
            for member in group.members:
                sizes, more = layers[member.layer], (now - was) * member.index.shape[1]
                for end in _ends(sizes, member.side):
                    sizes[end] += more
        table = {name: tuple(sizes) for name, sizes in layers.items()}
        return self.source.model_copy(update={"layers": table})


def _ends(sizes: Sequence[int], side: str) -> tuple[int, ...]:
    """Which widths of a layer a group's units are counted in."""
    if len(sizes) == 1:
        return (0,)
    if len(sizes) == 3 and 1 < sizes[0] == sizes[1] == sizes[2]:  # depthwise
        return (0, 1, 2)
    return (1,) if side == "out" else (0,)


def _steps(kept: Sequence[int], most: Sequence[int]) -> Iterator[tuple[float, Step]]:
    """Every unit that may go, with the factor below which rounding leaves it out."""
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
