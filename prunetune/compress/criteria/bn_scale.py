"""BN scale: remove channels with a small batch norm scale (Liu et al., 1708.06519)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from prunetune.compress.criterion import About, Scene
from prunetune.compress.graph.groups import Group
from prunetune.compress.scoring.bases import GroupwiseCriterion
from prunetune.compress.scoring.per_unit import Normalize, batch_norms, normalized, per_unit
from prunetune.config.parts import Params
from prunetune.registry import criteria


class BnScaleParams(Params):
    """Parameters of `bn_scale`."""

    normalize: Normalize = "none"


@criteria.register("bn_scale", params=BnScaleParams)
class BnScale(GroupwiseCriterion[BnScaleParams]):
    """Absolute batch norm scale, mean over the batch norms of a group."""

    about = About(
        paper="Liu et al., ICCV 2017, 1708.06519",
        cost="weights alone",
        differs="Raw scales are ranked; torch-pruning divides a group's by their mean first "
        "(`normalize: mean`). A group without batch norm is not pruned, and the record names it; a "
        "network without any batch norm is refused by name.",
    )

    def applies(self, model: nn.Module, group: Group) -> bool:
        """True if at least one batch norm of the group has a scale."""
        return bool(batch_norms(model, group))

    def score_group(self, scene: Scene, group: Group) -> Tensor:
        """See `GroupwiseCriterion`."""
        scales = [
            per_unit(scale.detach().cpu().double().abs(), member)
            for member, scale in batch_norms(scene.model, group)
        ]
        return normalized(torch.stack(scales).mean(0), self.params.normalize)
