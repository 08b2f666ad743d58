"""Channel pruning: the least important coupled channels go until the budget holds."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from prunetune.compress.budget.select import select
from prunetune.compress.criterion import Refitting
from prunetune.compress.method import CompactModel, Context, Shrinking, Target, try_to_reach
from prunetune.compress.methods.channel_pruning.gradual import GradualPruningHook, timetable
from prunetune.compress.methods.channel_pruning.params import ChannelPruningParams
from prunetune.compress.methods.channel_pruning.state import PruningState, down_to, goals
from prunetune.compress.network.rebuild import family_network
from prunetune.compress.network.remove_blocks import narrow
from prunetune.compress.regularizer import sparsified_network
from prunetune.plan import Reach
from prunetune.records.architecture import Architecture
from prunetune.registry import methods

_DRAWS = 3
"""Draws of random scores before `reach` calls a budget out of reach."""


@methods.register("channel_pruning", params=ChannelPruningParams)
class ChannelPruning:
    """Remove the coupled channels that the criterion scores lowest; keep the other weights."""

    inherits: ClassVar[bool] = True
    takes_architecture: ClassVar[bool] = False

    def __init__(self, params: ChannelPruningParams) -> None:
        self.params = params

    def run(self, context: Context) -> CompactModel | Shrinking:
        """The dense network without the channels that go; Infeasible if the target is missed."""
        dense = sparsified_network(context, self.params.sparsify)
        survivors = PruningState(self.params, dense, context.architecture)
        survivors.check(context.target)
        if self.params.gradual and context.epochs:
            return self._in_training(dense, survivors, context)
        return self._at_once(dense, survivors, context)

    def reach(self, architecture: Architecture, targets: Sequence[Target]) -> tuple[Reach, ...]:
        """What can be met; see `prunetune.compress.method.reach`."""
        with torch.device("meta"):
            model = family_network(architecture)
        survivors = PruningState(self.params, model, architecture)
        return tuple(self._reach(survivors, target) for target in targets)

    def _at_once(self, dense: nn.Module, survivors: PruningState, context: Context) -> CompactModel:
        """Round after round, each on the network that the last one left."""
        model, architecture = dense, context.architecture
        for goal in goals(self.params, context.target):
            scene, removed = survivors.shrink(model, architecture, down_to(goal), context)
            model, architecture = narrow(model, architecture, scene.groups, removed)
            if isinstance(survivors.criterion, Refitting):
                whole = replace(scene, model=dense, groups=survivors.groups)
                with context.scoring():
                    survivors.criterion.refit(whole, model, survivors.kept)
        return self._compact(model, architecture, survivors, context)

    def _in_training(
        self, dense: nn.Module, survivors: PruningState, context: Context
    ) -> Shrinking:
        """A copy of the dense network whose units go while it trains, and the cut after it.

        Nothing is refitted: the training mends.
        """
        assert self.params.gradual is not None
        epochs = min(self.params.gradual.epochs, context.epochs)
        table = timetable(self.params, context, epochs * context.steps_per_epoch)
        hook = GradualPruningHook(survivors, context.architecture, context, table)

        def finish(model: nn.Module) -> CompactModel:
            compact, architecture = hook.finish(model)
            found = self._compact(compact, architecture, survivors, context)
            found.epochs_used = epochs
            if isinstance(survivors.criterion, Refitting):
                found.departures["refit"] = "none: the training mends"
            return found

        return Shrinking(copy.deepcopy(dense), epochs, [hook], finish)

    def _compact(
        self,
        model: nn.Module,
        architecture: Architecture,
        survivors: PruningState,
        context: Context,
    ) -> CompactModel:
        """What is handed over, its batch norm statistics measured anew."""
        if context.recalibrate is not None and self.params.recalibrate:
            context.recalibrate(model, self.params.recalibrate)
        departures: dict[str, Any] = {}
        if survivors.repair != "none":
            departures |= {"repair": survivors.repair, "channels": survivors.departures}
        if survivors.unscored:
            departures["unscored"] = survivors.unscored
        kept = survivors.channels()
        return CompactModel(model, architecture, survivors.macs, kept, departures=departures)

    def _reach(self, survivors: PruningState, target: Target) -> Reach:
        """Whether random scores meet the target; where all pools are groups any give the same."""

        def attempt(seed: int) -> int:
            generator = np.random.default_rng(seed)
            scores = [generator.random(width) for width in survivors.widths]
            return select(*survivors.steps(scores), target.macs, target.lowest).macs

        draws = range(1 if self.params.scope in ("local", "per_group") else _DRAWS)
        attempts = (partial(attempt, seed) for seed in draws)
        return try_to_reach(target, survivors.smallest_macs, attempts)
