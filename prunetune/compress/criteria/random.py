"""Random scores: the control that any criterion has to beat (Mittal et al., 1801.10447)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import nn

from prunetune.compress.criterion import About, Needs, Scene
from prunetune.compress.graph.groups import Group
from prunetune.config.parts import Params
from prunetune.registry import criteria


class RandomParams(Params):
    """`random` has no parameters."""


@criteria.register("random", params=RandomParams)
class Random:
    """Uniform numbers, drawn from the trial's own generator."""

    about: ClassVar[About] = About(
        paper="Mittal et al., WACV 2018, 1801.10447",
        cost="none",
        differs="drawn from the trial's own generator, so that a seed repeats them",
    )
    needs: ClassVar[Needs] = "weights"

    def __init__(self, params: RandomParams) -> None:
        self.params = params

    def applies(self, model: nn.Module, group: Group) -> bool:
        """Always."""
        return True

    def score(self, scene: Scene) -> list[torch.Tensor]:
        """See `Criterion`."""
        return [
            torch.rand(group.width, generator=scene.generator, dtype=torch.float64)
            for group in scene.groups
        ]
