"""Weight pruning: zeroes single weights by magnitude (Gupta et al., 2209.14624).

All are zeroed before training, or gradually during it by the cubic schedule of Zhu and Gupta
(1710.01878). The network keeps its dense shape, so it is no faster without sparse kernels. Its MACs
count the weights that are kept; training is charged with the dense MACs.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from prunetune.compress.method import CompactModel, Context, Shrinking, Target
from prunetune.compress.methods.weight_pruning.threshold import PrunableWeights, Quota, kept_weights
from prunetune.compress.network.masks import MaskHook, Masks
from prunetune.compress.network.rebuild import family_network
from prunetune.config.budget import BudgetKind
from prunetune.config.parts import Params
from prunetune.plan import Reach
from prunetune.records.architecture import Architecture
from prunetune.registry import methods


class GradualMasking(Params):
    """Weights are zeroed while the network trains, most of them early: 1 - (1 - t)^3 by time t."""

    epochs: Annotated[
        int,
        Field(
            ge=1,
            description="the trial's first epochs, or all if it has fewer; at their end the budget"
            " is met",
        ),
    ]
    every: Annotated[int, Field(ge=1, description="optimizer steps between two rounds")] = 100


class WeightPruningParams(Params):
    """Parameters of `weight_pruning`."""

    minimum: Annotated[
        int,
        Field(ge=0, description="the fewest weights that a layer keeps; a smaller layer keeps all"),
    ] = 0
    gradual: Annotated[
        GradualMasking | None, Field(description="null: all weights at once, before training")
    ] = None
    recalibrate: Annotated[
        int, Field(ge=0, description="images to measure batch norm statistics on anew; 0: none")
    ] = 1024


@methods.register("weight_pruning", params=WeightPruningParams)
class WeightPruning:
    """Zero the smallest weights of the whole network, and keep them zero while the others train."""

    inherits: ClassVar[bool] = True
    takes_architecture: ClassVar[bool] = False
    budgets: ClassVar[frozenset[BudgetKind]] = frozenset({"macs", "sparsity"})
    masks: ClassVar[bool] = True

    def __init__(self, params: WeightPruningParams) -> None:
        self.params = params

    def run(self, context: Context) -> CompactModel | Shrinking:
        """The dense network with masked weights.

        Raises:
            Infeasible: the minimum of each layer is too much for the target.
        """
        assert context.dense is not None, "weight_pruning needs the dense network"
        model = copy.deepcopy(context.dense)
        prunable = PrunableWeights.of(model, context.architecture.input_shape)
        gradual = self.params.gradual
        if gradual is None or not context.epochs:
            return self._masked(model, prunable, context, {})
        epochs = min(gradual.epochs, context.epochs)
        # Raises Infeasible before training, not at its end.
        self._kept(model, prunable, Quota.of(context.target, prunable), {})

        def prune(model: nn.Module, time: float, masks: Masks) -> Tensor:
            quota = Quota.of(context.target, prunable, 1 - (1 - time) ** 3)
            return self._kept(model, prunable, quota, masks)

        hook = GradualMaskingHook(prune, prunable, gradual.every, epochs * context.steps_per_epoch)

        def finish(model: nn.Module) -> CompactModel:
            compact = self._masked(model, prunable, context, hook.masks)
            compact.epochs_used = epochs
            return compact

        return Shrinking(model, epochs, [hook], finish)

    def reach(self, architecture: Architecture, targets: Sequence[Target]) -> tuple[Reach, ...]:
        """Whether each layer can keep its minimum; single weights meet any other target."""
        with torch.device("meta"):
            prunable = PrunableWeights.of(family_network(architecture), architecture.input_shape)
        return tuple(self._reach(prunable, target) for target in targets)

    def _kept(
        self, model: nn.Module, prunable: PrunableWeights, quota: Quota, masks: Masks
    ) -> Tensor:
        """Which weights are kept, out of those that `masks` keep (all, if there are no masks)."""
        magnitudes = prunable.flat(dict(model.named_parameters())).abs()
        unmasked = prunable.flat(masks).to(magnitudes.device) if masks else None
        return kept_weights(magnitudes, prunable, quota, self.params.minimum, unmasked)

    def _masked(
        self,
        model: nn.Module,
        prunable: PrunableWeights,
        context: Context,
        masks: Masks,
    ) -> CompactModel:
        """The network with its final masks, which stay in force in the training that follows."""
        kept = self._kept(model, prunable, Quota.of(context.target, prunable), masks)
        hook = MaskHook(prunable.masks(kept, model))
        hook.apply(model)
        if context.recalibrate is not None and self.params.recalibrate:
            context.recalibrate(model, self.params.recalibrate)
        n_kept = int(kept.sum())
        n_others = sum(p.numel() for p in model.parameters()) - prunable.total
        macs = prunable.macs_of(kept)
        return CompactModel(
            model, context.architecture, macs, hooks=[hook],
            computed_macs=prunable.macs, params=n_kept + n_others,
            departures={"sparsity": round(1 - n_kept / prunable.total, 6), "weights": n_kept},
        )  # fmt: skip

    def _reach(self, prunable: PrunableWeights, target: Target) -> Reach:
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
    """Masks more weights every `every` steps; masked weights never come back."""

    def __init__(
        self,
        prune: Callable[[nn.Module, float, Masks], Tensor],
        prunable: PrunableWeights,
        every: int,
        steps: int,
    ) -> None:
        super().__init__()
        self.prune, self.prunable, self.every, self.steps = prune, prunable, every, steps

    def after_step(self, model: nn.Module, step: int) -> None:
        """Mask more weights if a round is due, and zero all masked weights again."""
        done = step + 1
        if done % self.every == 0 and done < self.steps:
            kept = self.prune(model, done / self.steps, self.masks)
            self.masks = self.prunable.masks(kept, model)
        super().after_step(model, step)
