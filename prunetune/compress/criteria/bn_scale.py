"""BN scale: a channel that batch norm scales down matters little (Liu et al., 1708.06519)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import nn

from prunetune.compress.criterion import About, Needs, Scene
from prunetune.compress.graph.groups import Group
from prunetune.compress.scoring.per_unit import Normalize, batch_norms, normalized, per_unit
from prunetune.config.parts import Params
from prunetune.registry import criteria


class BnScaleParams(Params):
    """Parameters of `bn_scale`."""

    normalize: Normalize = "none"


@criteria.register("bn_scale", params=BnScaleParams)
class BnScale:
    """Absolute batch norm scale, mean over the batch norms of a group."""

    about: ClassVar[About] = About(
        paper="Liu et al., ICCV 2017, 1708.06519",
        cost="weights alone",
        differs="raw scales are ranked; there a group's are divided by their mean first "
        "(`normalize: mean`). A group without batch norm stays whole, and the record names it; a "
        "network without any is refused by name",
    )
    needs: ClassVar[Needs] = "weights"

    def __init__(self, params: BnScaleParams) -> None:
        self.params = params

    def applies(self, model: nn.Module, group: Group) -> bool:
        """Where at least one batch norm has a scale."""
        return bool(batch_norms(model, group))

    def score(self, scene: Scene) -> list[torch.Tensor]:
        """See `Criterion`."""
        return [self._score(scene.model, group) for group in scene.groups]

    def _score(self, model: nn.Module, group: Group) -> torch.Tensor:
        scales = [
            per_unit(scale.detach().cpu().double().abs(), member)
            for member, scale in batch_norms(model, group)
        ]
        return normalized(torch.stack(scales).mean(0), self.params.normalize)
