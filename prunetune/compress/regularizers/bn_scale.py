"""BN scale: an L1 penalty on batch norm scales (network slimming)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from prunetune.compress.criterion import About
from prunetune.compress.graph.groups import Group
from prunetune.compress.regularizer import Factor, Strength
from prunetune.compress.regularizers.units import gradients
from prunetune.compress.scoring.per_unit import batch_norms
from prunetune.protocols import Hook
from prunetune.registry import regularizers


class BnScaleRegularizerParams(Strength):
    """Parameters of `bn_scale`."""

    strength: Factor = 1e-4


@regularizers.register("bn_scale", params=BnScaleRegularizerParams)
class BnScaleRegularizer:
    """L1 penalty on the batch norm scales of removable channels."""

    about: ClassVar[About] = About(
        paper="Liu et al., ICCV 2017, 1708.06519",
        cost="next to nothing",
        differs="Only scales of removable channels shrink; torch-pruning shrinks those of every "
        "batch norm.",
    )

    def __init__(self, params: BnScaleRegularizerParams) -> None:
        self.params = params

    def applies(self, model: nn.Module, group: Group) -> bool:
        """True if at least one batch norm of the group has a scale."""
        return bool(batch_norms(model, group))

    def hook(self, groups: Sequence[Group], steps: int) -> Hook:
        """See `Regularizer`."""
        return ScalePenalty(groups, self.params, steps)


class ScalePenalty(Hook):
    """The hook that adds strength x sign to the gradient of each scale."""

    def __init__(self, groups: Sequence[Group], params: Strength, steps: int) -> None:
        self.groups, self.params, self.steps = groups, params, steps
        self._masks: tuple[list[Tensor], list[Tensor]] | None = None

    @torch.no_grad()
    def after_backward(self, model: nn.Module, step: int) -> None:
        """Add to the gradients of the scales."""
        strength = self.params.at(step, self.steps)
        if not strength:
            return
        if self._masks is None:
            self._masks = _scale_masks(model, self.groups)
        scales, masks = self._masks
        added = torch._foreach_mul(torch._foreach_sign(scales), masks)
        torch._foreach_add_(gradients(scales), added, alpha=strength)


def _scale_masks(model: nn.Module, groups: Sequence[Group]) -> tuple[list[Tensor], list[Tensor]]:
    """The scales of the groups' batch norms, and per scale 1 for channels of a group, else 0."""
    masks: dict[Tensor, Tensor] = {}
    for group in groups:
        for member, scale in batch_norms(model, group):
            mask = masks.setdefault(scale, torch.zeros_like(scale, requires_grad=False))
            mask[torch.from_numpy(member.index.ravel()).to(scale.device)] = 1
    return list(masks), list(masks.values())
