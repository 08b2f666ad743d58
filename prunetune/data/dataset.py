"""The contract of a data set: facts known without opening a file, a digest, and three splits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Protocol

import torch
from pydantic import Field

from prunetune.config.parts import Params
from prunetune.protocols import Shape, Split

SAMPLE_BATCH = 128
"""Images in a batch of `Split.sample`."""


@dataclass(frozen=True)
class DatasetInfo:
    """What is known about a data set before any image is opened."""

    shape: Shape
    classes: int
    train_size: int
    val_size: int
    test_size: int
    mean: tuple[float, ...]
    """Mean of the pixels per channel, where pixels lie in [0, 1]."""
    std: tuple[float, ...]
    """Standard deviation of the pixels per channel."""
    crop: int | None
    """The usual padding before a random crop, in pixels; None: random resized crops are usual."""
    flip: bool
    """Whether training images are usually mirrored at random."""


@dataclass(frozen=True)
class Splits:
    """The splits of an open data set: networks learn from train; val decides; test is reported."""

    info: DatasetInfo
    train: Split
    val: Split
    test: Callable[[], Split]
    """Returns the test split; the first call opens the test images."""


class Dataset(Protocol):
    """A data set made from its parameters: `Dataset(params)`."""

    def __init__(self, params: Any) -> None:
        """`params` is an object of the registered parameter model."""

    def info(self) -> DatasetInfo:
        """Sizes and statistics; opens no image."""

    def digest(self) -> str:
        """A hash of the files, and of every parameter that changes what a network learns from."""

    def open(self, seed: int, device: torch.device, download: bool) -> Splits:
        """The splits; `seed` decides which training images are held out for validation.

        Raises:
            DataMissingError: a file is missing; the message says which, and where to put it.
            CorruptDataError: a file has other content than it should; the message says which.
        """


class DatasetParams(Params):
    """The parameters that all data sets have."""

    val_fraction: Annotated[
        float,
        Field(gt=0, lt=1, description="share of the training images held out for validation"),
    ] = 0.1
    train_limit: Annotated[
        int | None, Field(ge=1, description="train on this many images only; null: on all")
    ] = None
    root: Annotated[
        str | None, Field(description="folder; null: $PRUNETUNE_DATA, else the user's cache folder")
    ] = None
    mean: Annotated[
        tuple[float, ...] | None,
        Field(description="per channel, of pixels in [0, 1]; null: the data set's usual values"),
    ] = None
    std: tuple[float, ...] | None = None

    reading_only: ClassVar[frozenset[str]] = frozenset({"root"})
    """Parameters that change where or how images are read, but not which images or their values."""

    def identity(self) -> dict[str, Any]:
        """The parameters that decide the images and their values, without defaults, as JSON."""
        parameters = self.model_dump(
            mode="json", exclude_defaults=True, exclude=set(self.reading_only)
        )
        return parameters | {"val_fraction": self.val_fraction}

    def apply(self, info: DatasetInfo) -> DatasetInfo:
        """`info` of the whole training set (its `val_size` is 0), changed by these parameters.

        Raises:
            ValueError: a split would be empty, or too few images or channels exist.
        """
        val_size = round(info.train_size * self.val_fraction)
        train_size = info.train_size - val_size
        if not val_size or not train_size:
            raise ValueError(
                f"val_fraction: {self.val_fraction} of {info.train_size} images leaves "
                f"{train_size} for training and {val_size} for validation"
            )
        if self.train_limit is not None and self.train_limit > train_size:
            raise ValueError(
                f"train_limit: got {self.train_limit}, there are {train_size} training images"
            )
        mean, std = self.mean or info.mean, self.std or info.std
        one_per_channel = {len(mean), len(std)} == {info.shape[0]}
        if not one_per_channel or min(mean) < 0 or max(mean) > 1 or min(std) <= 0:
            raise ValueError(
                f"mean, std: got {mean}, {std}; allowed: {info.shape[0]} values each, "
                "means from 0 to 1, std above 0"
            )
        train_size = self.train_limit or train_size
        return replace(info, train_size=train_size, val_size=val_size, mean=mean, std=std)
