"""The contract of a data set part: facts as constants, a digest, and three splits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Protocol

import torch
from pydantic import Field

from prunetune.config.parts import Params
from prunetune.protocols import Split

SAMPLE_BATCH = 128
"""Images per batch of `Split.sample`."""


@dataclass(frozen=True)
class DatasetInfo:
    """What is known about a data set before any image is opened."""

    shape: tuple[int, int, int]
    """(channels, height, width)"""
    classes: int
    train_size: int
    val_size: int
    test_size: int
    mean: tuple[float, ...]
    """Per channel, of pixels in [0, 1]."""
    std: tuple[float, ...]
    crop: int | None
    """Usual padding before a random crop; None: a random resized crop instead."""
    flip: bool
    """Whether images are usually mirrored at random."""


@dataclass(frozen=True)
class Splits:
    """A data set that is open: train to learn from, val to decide by, test to report."""

    info: DatasetInfo
    train: Split
    val: Split
    test: Callable[[], Split]
    """Opens the test images, at the first call."""


class Dataset(Protocol):
    """A data set made from its parameters: `Dataset(params)`."""

    def __init__(self, params: Any) -> None:
        """`params` is the model that the data set was registered with."""

    def info(self) -> DatasetInfo:
        """Sizes and statistics, without opening an image."""

    def digest(self) -> str:
        """Of the files and of every parameter that changes what is learned from."""

    def open(self, seed: int, device: torch.device, download: bool) -> Splits:
        """The splits; `seed` decides which training images are held out for validation.

        DataMissingError says which file to put where, CorruptDataError which one is not what it
        should be.
        """


class DatasetParams(Params):
    """What all data sets can be told."""

    val_fraction: Annotated[
        float, Field(gt=0, lt=1, description="share of the training images held out")
    ] = 0.1
    train_limit: Annotated[
        int | None, Field(ge=1, description="train on this many images only")
    ] = None
    root: Annotated[
        str | None, Field(description="folder; null: $PRUNETUNE_DATA, else the user's cache")
    ] = None
    mean: Annotated[
        tuple[float, ...] | None, Field(description="per channel, of pixels in [0, 1]; null: usual")
    ] = None
    std: tuple[float, ...] | None = None

    elsewhere: ClassVar[frozenset[str]] = frozenset({"root"})
    """Parameters that say where and how images are read, not which or what."""

    def identity(self) -> dict[str, Any]:
        """What decides the images and their values, defaults left out, as JSON."""
        return self.model_dump(mode="json", exclude_defaults=True, exclude=set(self.elsewhere)) | {
            "val_fraction": self.val_fraction
        }

    def apply(self, info: DatasetInfo) -> DatasetInfo:
        """`info` of the whole training set (val_size 0) as these parameters make it.

        ValueError where they ask for more images or other channels than there are.
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
        lengths = {len(mean), len(std)} == {info.shape[0]}
        if not lengths or min(mean) < 0 or max(mean) > 1 or min(std) <= 0:
            raise ValueError(
                f"mean, std: got {mean}, {std}; allowed: {info.shape[0]} values each, "
                "means from 0 to 1, std above 0"
            )
        train_size = self.train_limit or train_size
        return replace(info, train_size=train_size, val_size=val_size, mean=mean, std=std)
