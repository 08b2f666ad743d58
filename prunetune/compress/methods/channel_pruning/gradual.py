"""Pruning while training: units are silenced one round after the other, and cut at the end.

As in gradual pruning (Zhu and Gupta, 1710.01878; Gupta et al., 2209.14624), with rounds spread over
the first epochs, or as Crowley et al. (1810.04622) have it, with a unit or a few every so many
optimizer steps. Until the cut it trains the dense network, and costs as much.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor, nn

from prunetune.compress.criterion import Accumulating, Accumulator
from prunetune.compress.method import Context
from prunetune.compress.methods.channel_pruning.params import ChannelPruningParams
from prunetune.compress.methods.channel_pruning.state import (
    Goal,
    PruningState,
    down_to,
    goals,
    worst,
)
from prunetune.compress.network.masks import MaskHook, unit_masks
from prunetune.compress.network.remove_blocks import narrow
from prunetune.protocols import Hook
from prunetune.records.architecture import Architecture

Timetable = Callable[[int], Goal | None]
"""What is to be reached after so many optimizer steps, if anything."""


def timetable(params: ChannelPruningParams, context: Context, length: int) -> Timetable:
    """When units go in a training of `length` steps; after the last one the target is met."""
    gradual, target = params.gradual, context.target
    assert gradual is not None
    if gradual.every is None:
        shares = enumerate(goals(params, target), 1)
        rounds = {round(length * i / params.steps): down_to(macs) for i, macs in shares}
        return rounds.get
    every, some, rest = gradual.every, worst(gradual.units, target), down_to(target.macs)
    return lambda done: rest if done == length else None if done % every else some


class GradualPruningHook(Hook):
    """Silences units as the timetable says; which are left is its memory."""

    def __init__(
        self,
        survivors: PruningState,
        architecture: Architecture,
        context: Context,
        timetable: Timetable,
    ) -> None:
        self.survivors, self.architecture, self.context = survivors, architecture, context
        self.timetable = timetable
        self._masks: MaskHook | None = MaskHook()
        """None where they are to be made anew."""
        self._gathered: Accumulator | None = None
        """What the criterion has seen of this training since the last round."""

    def begin(self, model: nn.Module) -> None:
        """Let a criterion watch that scores what it sees in training."""
        if isinstance(self.survivors.criterion, Accumulating):
            self._gathered = self.survivors.criterion.accumulator(model, self.survivors.groups)
            self._gathered.attach()

    def after_step(self, model: nn.Module, step: int) -> None:
        """Remove units if it is time, and keep those that are gone silent."""
        goal = self.timetable(step + 1)
        if goal is not None:
            self.shrink(model, goal)
        if self._masks is None:
            self._masks = MaskHook(self.silence(model))
        self._masks.after_step(model, step)

    def shrink(self, model: nn.Module, goal: Goal) -> None:
        """Let units go, unless the target is met already."""
        left, context = self.survivors, self.context
        if left.macs <= context.target.macs:
            return
        if self._gathered is None:
            compact, architecture = self.cut(model)
            left.shrink(compact.eval(), architecture, goal, context)
        else:
            scores = [score.numpy() for score in self._gathered.scores(left.kept)]
            left.remove(scores, goal, context.target)
            self._gathered.reset()
        self._masks = None

    def finish(self, model: nn.Module) -> tuple[nn.Module, Architecture]:
        """Meet the target if that is still to be done, and cut."""
        self.shrink(model, down_to(self.context.target.macs))
        if self._gathered is not None:
            self._gathered.detach()
        return self.cut(model)

    def cut(self, model: nn.Module) -> tuple[nn.Module, Architecture]:
        """The network of what is left, cut out of the one that is trained."""
        left = self.survivors
        return narrow(model, self.architecture, left.groups, left.removed)

    def silence(self, model: nn.Module) -> dict[str, Tensor]:
        """The masks of all that is gone."""
        left = self.survivors
        gone = [name for i, layers in left.branches.items() if not left.kept[i] for name in layers]
        return unit_masks(model, left.groups, left.removed, gone)

    def state_dict(self) -> dict[str, Tensor]:
        """See `prunetune.protocols.Stateful`."""
        gathered = {} if self._gathered is None else self._gathered.state_dict()
        return {
            **self.survivors.state_dict(),
            **{f"gathered/{name}": value for name, value in gathered.items()},
            "generator": self.context.generator.get_state(),
        }

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """See `prunetune.protocols.Stateful`."""
        self.survivors.load_state_dict(state)
        if self._gathered is not None:
            start = "gathered/"
            found = {k.removeprefix(start): v for k, v in state.items() if k.startswith(start)}
            self._gathered.load_state_dict(found)
        self.context.generator.set_state(state["generator"])
        self._masks = None
