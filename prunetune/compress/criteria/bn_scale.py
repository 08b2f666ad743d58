"""BN scale: a channel that batch norm scales down matters little (Liu et al., 1708.06519)."""

from __future__ import annotations

import torch
from torch import nn

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
        differs="raw scales are ranked; there a group's are divided by their mean first "
        "(`normalize: mean`). A group without batch norm stays whole, and the record names it; a "
        "network without any is refused by name",
    )

    def applies(self, model: nn.Module, group: Group) -> bool:
        """Where at least one batch norm has a scale."""
        return bool(batch_norms(model, group))

    def score_group(self, scene: Scene, group: Group) -> torch.Tensor:
        """See `GroupwiseCriterion`."""
        scales = [
            per_unit(scale.detach().cpu().double().abs(), member)
            for member, scale in batch_norms(scene.model, group)
        ]
        return normalized(torch.stack(scales).mean(0), self.params.normalize)
