"""Pruning while training: units are masked round after round, and cut at the end.

Rounds are spread over the first epochs, as in gradual pruning (Zhu and Gupta, 1710.01878; Gupta et
al., 2209.14624). Or one or a few units are removed every so many optimizer steps, as in Crowley et
al. (1810.04622). Until the cut the dense network is trained, at its MACs.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from prunetune.compress.criterion import Accumulating, Accumulator
from prunetune.compress.method import Context
from prunetune.compress.methods.channel_pruning.rounds import Goal, Timetable, down_to
from prunetune.compress.methods.channel_pruning.state import PruningState
from prunetune.compress.network.masks import MaskHook, unit_masks
from prunetune.compress.network.remove_blocks import narrow
from prunetune.protocols import Hook
from prunetune.records.architecture import Architecture

_GATHERED = "gathered/"
"""Start of the names of an accumulator's tensors in the hook's state."""


class GradualPruningHook(Hook):
    """Masks units by the timetable; the pruning state is the hook's state in checkpoints."""

    def __init__(
        self,
        state: PruningState,
        architecture: Architecture,
        context: Context,
        timetable: Timetable,
    ) -> None:
        self.state, self.architecture, self.context = state, architecture, context
        self.timetable = timetable
        self._masks: MaskHook | None = MaskHook()
        """None if the masks no longer fit the state and must be made anew."""
        self._accumulator: Accumulator | None = None
        """What the criterion gathers of this training between rounds, if it can."""

    def begin(self, model: nn.Module) -> None:
        """Attach the criterion's accumulator, if it has one."""
        if isinstance(self.state.criterion, Accumulating):
            self._accumulator = self.state.criterion.accumulator(model, self.state.groups)
            self._accumulator.attach()

    def after_step(self, model: nn.Module, step: int) -> None:
        """Remove units if a round is due, and zero the weights of all removed units."""
        goal = self.timetable(step + 1)
        if goal is not None:
            self.shrink(model, goal)
        if self._masks is None:
            self._masks = MaskHook(self.masks(model))
        self._masks.after_step(model, step)

    def shrink(self, model: nn.Module, goal: Goal) -> None:
        """Remove units down to the goal, unless the target is already met."""
        target = self.context.target
        if self.state.macs <= target.macs:
            return
        if self._accumulator is None:
            compact, architecture = self.cut(model)
            self.state.shrink(compact.eval(), architecture, goal, self.context)
        else:
            scores = [score.numpy() for score in self._accumulator.scores(self.state.kept)]
            self.state.remove(scores, goal, target)
            self._accumulator.reset()
        self._masks = None

    def finish(self, model: nn.Module) -> tuple[nn.Module, Architecture]:
        """Meet the target if no round has met it yet, and cut."""
        self.shrink(model, down_to(self.context.target.macs))
        if self._accumulator is not None:
            self._accumulator.detach()
        return self.cut(model)

    def cut(self, model: nn.Module) -> tuple[nn.Module, Architecture]:
        """A copy of the trained network without the removed units, and its architecture."""
        return narrow(model, self.architecture, self.state.groups, self.state.removed)

    def masks(self, model: nn.Module) -> dict[str, Tensor]:
        """The masks of all removed units and residual branches."""
        state = self.state
        emptied = (layers for i, layers in state.branches.items() if not state.kept[i])
        silent = [name for layers in emptied for name in layers]
        return unit_masks(model, state.groups, state.removed, silent)

    def state_dict(self) -> dict[str, Tensor]:
        """See `prunetune.protocols.Stateful`."""
        gathered = {} if self._accumulator is None else self._accumulator.state_dict()
        return {
            **self.state.state_dict(),
            **{f"{_GATHERED}{name}": value for name, value in gathered.items()},
            "generator": self.context.generator.get_state(),
        }

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """See `prunetune.protocols.Stateful`."""
        self.state.load_state_dict(state)
        if self._accumulator is not None:
            gathered = {k: v for k, v in state.items() if k.startswith(_GATHERED)}
            self._accumulator.load_state_dict(
                {name.removeprefix(_GATHERED): value for name, value in gathered.items()}
            )
        self.context.generator.set_state(state["generator"])
        self._masks = None
