"""LAMP: a channel's share of what is at least as large (Lee et al., ICLR 2021, 2010.07611)."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field

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
    """Magnitude over the sum of all magnitudes of the group that are not smaller."""

    about = About(
        paper="Lee et al., ICLR 2021, 2010.07611",
        cost="weights alone",
        differs="depthwise convolutions count, which write as others do; there they do not",
    )

    def score_group(self, scene: Scene, group: Group) -> torch.Tensor:
        """See `GroupwiseCriterion`; the largest channel of every group has exactly 1."""
        return lamp(power_sums(scene.model, group, self.params.p, self.params.reduction))


def lamp(magnitudes: torch.Tensor) -> torch.Tensor:
    """s_u / Σ s_v over v from u on in ascending order; equal ones keep their place in the group.

    Of all-zero magnitudes the last scores 1, as the largest always does.
    """
    ordered, order = magnitudes.sort(stable=True)
    sums = ordered.flip(0).cumsum(0).flip(0)
    scores = torch.where(sums > 0, ordered / sums, 0.0)
    scores[-1] = 1.0
    return torch.empty_like(scores).scatter_(0, order, scores)
