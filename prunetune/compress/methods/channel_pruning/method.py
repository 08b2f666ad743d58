"""Channel pruning: removes the least important coupled channels until the budget is met."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import numpy as np
from torch import nn

from prunetune.compress.criterion import Refitting
from prunetune.compress.method import CompactModel, Context, Shrinking, Target, try_to_reach
from prunetune.compress.methods.channel_pruning.gradual import GradualPruningHook
from prunetune.compress.methods.channel_pruning.params import ChannelPruningParams
from prunetune.compress.methods.channel_pruning.rounds import down_to, macs_by_round, timetable
from prunetune.compress.methods.channel_pruning.state import PruningState
from prunetune.compress.network.rebuild import family_network
from prunetune.compress.network.remove_blocks import narrow
from prunetune.compress.network.undrawn import undrawn
from prunetune.compress.regularizer import sparsified_network
from prunetune.plan import Reach
from prunetune.records.architecture import Architecture
from prunetune.registry import methods

_DRAWS = 3
"""How many draws of random scores `reach` tries before it reports that a budget is not met."""


@methods.register("channel_pruning", params=ChannelPruningParams)
class ChannelPruning:
    """Remove the coupled channels that the criterion scores lowest; keep the other weights."""

    inherits: ClassVar[bool] = True
    takes_architecture: ClassVar[bool] = False

    def __init__(self, params: ChannelPruningParams) -> None:
        self.params = params

    def run(self, context: Context) -> CompactModel | Shrinking:
        """The dense network without the worst channels.

        Raises:
            Infeasible: the target cannot be met.
        """
        dense = sparsified_network(context, self.params.sparsify)
        state = PruningState(self.params, dense, context.architecture)
        state.check(context.target)
        if self.params.gradual and context.epochs:
            return self._in_training(dense, state, context)
        return self._at_once(dense, state, context)

    def reach(self, architecture: Architecture, targets: Sequence[Target]) -> tuple[Reach, ...]:
        """Whether the method meets each target; see `prunetune.compress.method.reach`."""
        with undrawn():
            model = family_network(architecture)
        state = PruningState(self.params, model, architecture)
        return tuple(self._reach(state, target) for target in targets)

    def _at_once(self, dense: nn.Module, state: PruningState, context: Context) -> CompactModel:
        """Prune in rounds before training; each round starts from the network of the last one."""
        model, architecture = dense, context.architecture
        for macs in macs_by_round(self.params, context.target):
            scene, removed = state.shrink(model, architecture, down_to(macs), context)
            model, architecture = narrow(model, architecture, scene.groups, removed)
            if isinstance(state.criterion, Refitting):
                dense_scene = replace(scene, model=dense, groups=state.groups)
                with context.scoring():
                    state.criterion.refit(dense_scene, model, state.kept)
        return self._compact(model, architecture, state, context)

    def _in_training(self, dense: nn.Module, state: PruningState, context: Context) -> Shrinking:
        """Prune a copy of the dense network while it trains, and cut it afterwards.

        No layer is refitted, because training adapts them.
        """
        assert self.params.gradual is not None
        epochs = min(self.params.gradual.epochs, context.epochs)
        rounds = timetable(self.params, context.target, epochs * context.steps_per_epoch)
        hook = GradualPruningHook(state, context.architecture, context, rounds)

        def finish(model: nn.Module) -> CompactModel:
            compact = self._compact(*hook.finish(model), state, context)
            compact.epochs_used = epochs
            if isinstance(state.criterion, Refitting):
                compact.departures["refit"] = "none: the training mends"
            return compact

        return Shrinking(copy.deepcopy(dense), epochs, [hook], finish)

    def _compact(
        self,
        model: nn.Module,
        architecture: Architecture,
        state: PruningState,
        context: Context,
    ) -> CompactModel:
        """The compact model, with its batch norm statistics measured anew."""
        if context.recalibrate is not None and self.params.recalibrate:
            context.recalibrate(model, self.params.recalibrate)
        departures: dict[str, Any] = {}
        if state.repair != "none":
            departures |= {"repair": state.repair, "channels": state.n_departures}
        if state.unscored:
            departures["unscored"] = state.unscored
        return CompactModel(
            model, architecture, state.macs, state.channels(), departures=departures
        )

    def _reach(self, state: PruningState, target: Target) -> Reach:
        """Whether random scores meet the target.

        If every group is a pool of its own, the widths do not depend on scores: one draw is enough.
        """

        def attempt(seed: int) -> int:
            generator = np.random.default_rng(seed)
            scores = [generator.random(width) for width in state.widths]
            return state.select(*state.steps(scores), target.macs, target.lowest).macs

        draws = range(1 if self.params.scope in ("local", "per_group") else _DRAWS)
        attempts = (partial(attempt, seed) for seed in draws)
        return try_to_reach(target, state.smallest_macs, attempts)
