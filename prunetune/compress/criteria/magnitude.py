"""Magnitude: remove channels with small weights (Li et al., ICLR 2017, 1608.08710)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor

from prunetune.compress.criterion import About, Scene
from prunetune.compress.graph.groups import Group
from prunetune.compress.scoring.bases import GroupwiseCriterion
from prunetune.compress.scoring.per_unit import WeightParams, normalized, power_sums
from prunetune.registry import criteria


class MagnitudeParams(WeightParams):
    """Parameters of `magnitude`; the published rule is p 1, reduction first, scope local."""

    p: Annotated[Literal[1, 2], Field(description="sum of |w|^p (p 2: the squared norm)")] = 1


@criteria.register("magnitude", params=MagnitudeParams)
class Magnitude(GroupwiseCriterion[MagnitudeParams]):
    """Sum of |w|^p over a channel's weights."""

    about = About(
        paper="Li et al., ICLR 2017, 1608.08710",
        cost="weights alone",
        differs="Depthwise convolutions are scored; torch-pruning skips them. As in torch-pruning, "
        "p 2 is the squared norm. `normalize: none` ranks raw sums across groups.",
    )

    def score_group(self, scene: Scene, group: Group) -> Tensor:
        """See `GroupwiseCriterion`."""
        sums = power_sums(scene.model, group, self.params.p, self.params.reduction)
        return normalized(sums, self.params.normalize)
