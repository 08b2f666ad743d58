"""Random scores: the control that every criterion has to beat (Mittal et al., 1801.10447)."""

from __future__ import annotations

import torch
from torch import Tensor

from prunetune.compress.criterion import About, Scene
from prunetune.compress.graph.groups import Group
from prunetune.compress.scoring.bases import GroupwiseCriterion
from prunetune.config.parts import Params
from prunetune.registry import criteria


class RandomParams(Params):
    """`random` has no parameters."""


@criteria.register("random", params=RandomParams)
class Random(GroupwiseCriterion[RandomParams]):
    """Uniform numbers from the trial's own generator."""

    about = About(
        paper="Mittal et al., WACV 2018, 1801.10447",
        cost="none",
        differs="Drawn from the trial's own generator, so that a seed repeats the scores.",
    )

    def score_group(self, scene: Scene, group: Group) -> Tensor:
        """See `GroupwiseCriterion`."""
        return torch.rand(group.width, generator=scene.generator, dtype=torch.float64)
