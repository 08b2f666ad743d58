"""Where the dense network of a sweep file comes from: trained here, a file, or torchvision."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Self

from pydantic import Field, model_validator

from prunetune.config.file.fields import RecipeTree
from prunetune.config.parts import Params


class DenseTrainSpec(Params):
    """The sweep trains the dense network."""

    epochs: int = Field(default=50, ge=1)
    recipe: RecipeTree = Field(default_factory=dict, description="constants only")


LoadedEpochs = Annotated[int | None, Field(ge=1, description="null allows marginal alone")]
LoadedImages = Annotated[
    int | None,
    Field(ge=1, description="training images in one of these epochs; null: as many as here"),
]
ValSeen = Annotated[
    bool | None,
    Field(description="whether its training may have seen our validation images; null: not said"),
]


class DenseCheckpointSpec(Params):
    """The dense network is loaded from a file: safetensors, or a torch state dict."""

    path: str = Field(min_length=1)
    epochs: LoadedEpochs = None
    images: LoadedImages = None
    val_seen: ValSeen = None


class DenseWeightsSpec(Params):
    """The dense network is torchvision's."""

    name: str = Field(min_length=1)
    epochs: LoadedEpochs = None
    images: LoadedImages = None
    val_seen: ValSeen = None


class DenseSpec(Params):
    """Where the dense network comes from: exactly one of three ways."""

    train: DenseTrainSpec | None = None
    checkpoint: DenseCheckpointSpec | None = None
    weights: DenseWeightsSpec | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if sum(way is not None for way in (self.train, self.checkpoint, self.weights)) != 1:
            raise ValueError("name one of train: {…}, checkpoint: {…}, weights: {…}")
        return self

    @property
    def loaded(self) -> DenseCheckpointSpec | DenseWeightsSpec | None:
        """The network that is loaded; None where the sweep trains it."""
        return self.checkpoint or self.weights

    @property
    def epochs(self) -> int | None:
        """Epochs for which the dense network was, or will be, trained; None if unknown."""
        way = self.train or self.loaded
        return way.epochs if way else None

    def equal_epochs(self, train_size: int) -> Fraction | None:
        """K1: the dense network's training, counted in epochs of `train_size` images."""
        if self.epochs is None:
            return None
        images = self.loaded.images if self.loaded else None
        return Fraction(self.epochs * (images or train_size), train_size)
