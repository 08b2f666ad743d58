"""LAMP: remove channels that are small beside the larger ones of their group.

Lee et al., ICLR 2021, 2010.07611.
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from prunetune.compress.criterion import About, Scene
from prunetune.compress.graph.groups import Group
from prunetune.compress.scoring.bases import GroupwiseCriterion
from prunetune.compress.scoring.per_unit import Reduction, power_sums
from prunetune.config.parts import Params
from prunetune.registry import criteria


class LampParams(Params):
    """Parameters of `lamp`; the published score is for single weights, with p 2."""

    p: Annotated[Literal[1, 2], Field(description="sum of |w|^p (p 2: the squared norm)")] = 2
    reduction: Reduction = "mean"


@criteria.register("lamp", params=LampParams)
class Lamp(GroupwiseCriterion[LampParams]):
    """A channel's magnitude over the sum of all magnitudes of the group that are not smaller.

    The largest channel of every group scores exactly 1.
    """

    about = About(
        paper="Lee et al., ICLR 2021, 2010.07611",
        cost="weights alone",
        differs="Depthwise convolutions are scored; torch-pruning skips them.",
    )

    def score_group(self, scene: Scene, group: Group) -> Tensor:
        """See `GroupwiseCriterion`."""
        return lamp(power_sums(scene.model, group, self.params.p, self.params.reduction))


def lamp(magnitudes: Tensor) -> Tensor:
    """s_u / Σ s_v over v from u on in ascending order; equal magnitudes keep the group's order.

    If all magnitudes are zero, the last one scores 1.
    """
    ordered, order = magnitudes.sort(stable=True)
    sums = ordered.flip(0).cumsum(0).flip(0)
    scores = torch.where(sums > 0, ordered / sums, 0.0)
    scores[-1] = 1.0
    return torch.empty_like(scores).scatter_(0, order, scores)
