"""Copycat: the widths of a pruned network, scaled to other budgets (Crowley et al., 1810.04622).

A network is pruned once. Its profile, the number of channels that each group kept, is scaled by one
factor to get networks of the same shape at other budgets. These are trained from scratch. The
factor is the largest that fits the budget. Because widths are integers, the same repairs may be
needed as after a ranking of channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated, ClassVar

import numpy as np
from pydantic import ConfigDict, Field

from prunetune.compress.method import CompactModel, Context, Target, try_to_reach
from prunetune.compress.methods.profile import Profile
from prunetune.config.budget import BUDGET_FORMS
from prunetune.config.file.fields import WrittenBudget
from prunetune.config.parts import Form, Params
from prunetune.plan import Reach
from prunetune.records.architecture import Architecture
from prunetune.registry import methods

_PROFILES = 3
"""Profiles that `reach` tries: the dense one, then random ones."""


class CopycatParams(Params):
    """Parameters of `copycat`."""

    model_config = ConfigDict(populate_by_name=True)

    arm: Annotated[str, Field(alias="from", description="the arm whose profile is scaled")]
    at: Annotated[
        WrittenBudget,
        Form(BUDGET_FORMS),
        Field(description="that arm's budget, whose profile is scaled"),
    ]


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


def _reach(dense: Profile, target: Target, smallest: int) -> Reach:
    """Whether the dense profile or a random one, each drawn from its own seed, meets the target."""

    def attempt(seed: int) -> int:
        draw = np.random.default_rng(seed)
        kept = [int(draw.integers(1, most + 1)) for most in dense.most] if seed else dense.kept
        widths, _ = dense.scaled(kept, target)
        return dense.costs.macs(widths)

    return try_to_reach(target, smallest, (partial(attempt, seed) for seed in range(_PROFILES)))
