"""Weight pruning: single weights are zeroed by magnitude (Gupta et al., 2209.14624).

At once before training, or along it by the cubic schedule of Zhu and Gupta (1710.01878). The shape
stays the dense one, so nothing gets faster without sparse kernels; MACs count the weights that are
left, and training is booked at the dense MACs.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from prunetune.compress.method import BudgetKind, CompactModel, Context, Shrinking, Target
from prunetune.compress.methods.weight_pruning.threshold import Prunable, Quota, living
from prunetune.compress.network.masks import MaskHook, Masks
from prunetune.compress.network.rebuild import family_network
from prunetune.config.parts import Params
from prunetune.plan import Reach
from prunetune.records.architecture import Architecture
from prunetune.registry import methods


class GradualMasking(Params):
    """Weights go while the network trains, most of them early: 1 - (1 - t)^3 of them at time t."""

    epochs: Annotated[
        int,
        Field(ge=1, description="the trial's first, all if it has no more; then the budget is met"),
    ]
    every: Annotated[int, Field(ge=1, description="optimizer steps between two rounds")] = 100


class WeightPruningParams(Params):
    """Parameters of `weight_pruning`."""

    minimum: Annotated[
        int, Field(ge=0, description="weights that each layer keeps at least, all of a smaller one")
    ] = 0
    gradual: Annotated[
        GradualMasking | None, Field(description="null: all at once, before training")
    ] = None
    recalibrate: Annotated[
        int, Field(ge=0, description="images for measuring batch norm statistics anew; 0: none")
    ] = 1024


@methods.register("weight_pruning", params=WeightPruningParams)
class WeightPruning:
    """Zero the smallest weights of the whole network and keep them zero while the others train."""

    inherits: ClassVar[bool] = True
    takes_architecture: ClassVar[bool] = False
    budgets: ClassVar[frozenset[BudgetKind]] = frozenset({"macs", "sparsity"})
    masks: ClassVar[bool] = True

    def __init__(self, params: WeightPruningParams) -> None:
        self.params = params

    def run(self, context: Context) -> CompactModel | Shrinking:
        """The dense network behind its masks; Infeasible if the minima forbid the target."""
        assert context.dense is not None, "weight_pruning needs the dense network"
        model = copy.deepcopy(context.dense)
        prunable = Prunable.of(model, context.architecture.input_shape)
        gradual = self.params.gradual
        if gradual is None or not context.epochs:
            return self._masked(model, prunable, context, {})
        epochs = min(gradual.epochs, context.epochs)
        self._living(model, prunable, Quota.of(context.target, prunable), {})  # or Infeasible

        def prune(model: nn.Module, time: float, masks: Masks) -> Tensor:
            quota = Quota.of(context.target, prunable, 1 - (1 - time) ** 3)
            return self._living(model, prunable, quota, masks)

        hook = GradualMaskingHook(prune, prunable, gradual.every, epochs * context.steps_per_epoch)

        def finish(model: nn.Module) -> CompactModel:
            found = self._masked(model, prunable, context, hook.masks)
            found.epochs_used = epochs
            return found

        return Shrinking(model, epochs, [hook], finish)

    def reach(self, architecture: Architecture, targets: Sequence[Target]) -> tuple[Reach, ...]:
        """What can be met: all that leaves each layer its minimum, a weight being a small step."""
        with torch.device("meta"):
            prunable = Prunable.of(family_network(architecture), architecture.input_shape)
        return tuple(self._reach(prunable, target) for target in targets)

    def _living(self, model: nn.Module, prunable: Prunable, quota: Quota, masks: Masks) -> Tensor:
        """Which weights stay, of those that live behind `masks` (all, where there are none)."""
        magnitudes = prunable.flat(dict(model.named_parameters())).abs()
        alive = prunable.flat(masks).to(magnitudes.device) if masks else None
        return living(magnitudes, prunable, quota, self.params.minimum, alive)

    def _masked(
        self,
        model: nn.Module,
        prunable: Prunable,
        context: Context,
        masks: Masks,
    ) -> CompactModel:
        """The network with the final masks on, which stay on in the training to come."""
        stays = self._living(model, prunable, Quota.of(context.target, prunable), masks)
        hook = MaskHook(prunable.masks(stays, model))
        hook.apply(model)
        if context.recalibrate is not None and self.params.recalibrate:
            context.recalibrate(model, self.params.recalibrate)
        kept = int(stays.sum())
        others = sum(p.numel() for p in model.parameters()) - prunable.total
        macs = int(prunable.per_weight(prunable.costs, stays)[stays].sum())
        return CompactModel(
            model, context.architecture, macs, hooks=[hook],
            computed_macs=prunable.macs, params=kept + others,
            departures={"sparsity": round(1 - kept / prunable.total, 6), "weights": kept},
        )  # fmt: skip

    def _reach(self, prunable: Prunable, target: Target) -> Reach:
        quota = Quota.of(target, prunable)
        weights, macs = prunable.least(self.params.minimum)
        if (weights if quota.unit == "weights" else macs) <= quota.at_most:
            nearest_macs = max(macs, target.macs)
            return Reach(smallest_macs=macs, nearest_macs=nearest_macs, within=True)
        reason = (
            f"at least {self.params.minimum} weights in each layer leave {weights:,} of them "
            f"and {macs:,} MACs"
        )
        return Reach(smallest_macs=macs, nearest_macs=macs, within=False, reason=reason)


class GradualMaskingHook(MaskHook):
    """Lets weights go every so many steps; they never come back."""

    def __init__(
        self,
        prune: Callable[[nn.Module, float, Masks], Tensor],
        prunable: Prunable,
        every: int,
        steps: int,
    ) -> None:
        super().__init__()
        self.prune, self.prunable, self.every, self.steps = prune, prunable, every, steps

    def after_step(self, model: nn.Module, step: int) -> None:
        """Prune if it is time, and zero again."""
        done = step + 1
        if done % self.every == 0 and done < self.steps:
            stays = self.prune(model, done / self.steps, self.masks)
            self.masks = self.prunable.masks(stays, model)
        super().after_step(model, step)
