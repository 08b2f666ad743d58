"""Base classes that take the repetition out of a criterion; `Criterion` alone is the contract."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Generic, TypeVar

from torch import Tensor, nn

from prunetune.compress.criterion import About, Needs, Scene
from prunetune.compress.graph.groups import Group
from prunetune.config.parts import Params

CriterionParams = TypeVar("CriterionParams", bound=Params)


class BaseCriterion(ABC, Generic[CriterionParams]):
    """A criterion that keeps its parameters in `params` and scores every group."""

    about: ClassVar[About]
    needs: ClassVar[Needs]

    def __init__(self, params: CriterionParams) -> None:
        self.params = params

    def applies(self, model: nn.Module, group: Group) -> bool:
        """True: override it where the score is undefined for some groups."""
        return True

    @abstractmethod
    def score(self, scene: Scene) -> list[Tensor]:
        """See `Criterion`."""


class GroupwiseCriterion(BaseCriterion[CriterionParams]):
    """A criterion that scores one group at a time and looks at no images."""

    needs = "weights"

    def score(self, scene: Scene) -> list[Tensor]:
        """The scores of each group by itself."""
        return [self.score_group(scene, group) for group in scene.groups]

    @abstractmethod
    def score_group(self, scene: Scene, group: Group) -> Tensor:
        """The formula: a float64 tensor (units,) on the CPU, low = remove first."""
