"""Magnitude: small weights go first (Li et al., ICLR 2017, 1608.08710)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import nn

from prunetune.compress.criterion import About, Needs, Scene
from prunetune.compress.graph.groups import Group
from prunetune.compress.scoring.per_unit import WeightParams, normalized, power_sums
from prunetune.registry import criteria


class MagnitudeParams(WeightParams):
    """Parameters of `magnitude`; the published rule is p 1, reduction first, scope local."""

    p: Annotated[Literal[1, 2], Field(description="sum of |w|^p (p 2: the squared norm)")] = 1


@criteria.register("magnitude", params=MagnitudeParams)
class Magnitude:
    """Sum of |w|^p over a channel's weights."""

    about: ClassVar[About] = About(
        paper="Li et al., ICLR 2017, 1608.08710",
        cost="weights alone",
        differs="depthwise convolutions count, which write as others do; there they do not. p 2 is "
        "the squared norm, as there; `normalize: none` ranks raw sums across groups",
    )
    needs: ClassVar[Needs] = "weights"

    def __init__(self, params: MagnitudeParams) -> None:
        self.params = params

    def applies(self, model: nn.Module, group: Group) -> bool:
        """Always."""
        return True

    def score(self, scene: Scene) -> list[torch.Tensor]:
        """See `Criterion`."""
        how = self.params
        return [
            normalized(power_sums(scene.model, group, how.p, how.reduction), how.normalize)
            for group in scene.groups
        ]
