"""Reads one image from a file, crops and resizes it: the work of a data loader's process."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.utils.data import Dataset

from prunetune.config.recipe import Augment
from prunetune.data.augment import crop_flip, pad
from prunetune.data.files import CorruptDataError
from prunetune.data.pixels import as_seen

if TYPE_CHECKING:
    from PIL.Image import Image

Box = tuple[float, float, float, float]
"""(left, top, right, bottom) in pixels."""
Item = tuple[int, int]
"""(the index of an image, the seed of its augmentation)"""
_CROP_ATTEMPTS = 10


@dataclass(frozen=True)
class ImageFiles:
    """Image files and their labels, int64 (N)."""

    paths: tuple[Path, ...]
    labels: Tensor

    def take(self, index: Tensor) -> ImageFiles:
        """The files of `index`."""
        return ImageFiles(tuple(self.paths[i] for i in index.tolist()), self.labels[index])


@dataclass(frozen=True)
class Geometry:
    """Which part of an image is resized to `size` x `size` pixels."""

    size: int
    center: float
    """Share of the shorter side that the middle square has."""
    min_area: float
    """Smallest share of the area that a random part has."""

    def middle(self, width: int, height: int) -> Box:
        """The square in the middle; its side is `center` times the shorter side."""
        side = self.center * min(width, height)
        left, top = (width - side) / 2, (height - side) / 2
        return left, top, left + side, top + side

    def random(self, width: int, height: int, generator: torch.Generator) -> Box:
        """A part of random area, with an aspect ratio from 3/4 to 4/3 (1409.4842).

        If no attempt fits into the image, the square in the middle.
        """
        for _ in range(_CROP_ATTEMPTS):
            area, aspect, x, y = torch.rand(4, generator=generator).tolist()
            area = (self.min_area + (1 - self.min_area) * area) * width * height
            ratio = (3 / 4) * (16 / 9) ** aspect
            w, h = math.sqrt(area * ratio), math.sqrt(area / ratio)
            if w <= width and h <= height:
                left, top = x * (width - w), y * (height - h)
                return left, top, left + w, top + h
        return self.middle(width, height)


@dataclass(frozen=True)
class Decoder(Dataset[tuple[Tensor, Tensor]]):
    """The images of `files` as uint8 (3, size, size), each with its label."""

    files: ImageFiles
    geometry: Geometry
    zero: Tensor
    """The colour of padding, uint8 (C)."""
    augment: Augment | None
    """None: the middle of the image, not augmented. Else `flip` is set, and a `crop` of None means
    a random resized crop."""

    def __getitem__(self, item: Item) -> tuple[Tensor, Tensor]:
        index, seed = item
        path, label = self.files.paths[index], self.files.labels[index]
        if self.augment is None:
            return self.read(path, None).permute(2, 0, 1), label
        generator = torch.Generator().manual_seed(seed)
        crop, size = self.augment.crop, self.geometry.size
        pixels = self.read(path, generator if crop is None else None)[None]
        padded = pad(pixels, crop, self.augment.padding, self.zero) if crop else pixels
        flip = bool(self.augment.flip)
        first = torch.zeros(1, dtype=torch.long)
        return crop_flip(padded, first, (size, size), flip, generator)[0], label

    def read(self, path: Path, generator: torch.Generator | None) -> Tensor:
        """uint8 (size, size, 3): a random part of the image; without a generator, its middle.

        Raises:
            CorruptDataError: see `read_rgb`.
        """
        import numpy as np
        from PIL.Image import Resampling

        size = self.geometry.size
        rgb = read_rgb(path)
        random = self.geometry.random
        box = random(*rgb.size, generator) if generator else self.geometry.middle(*rgb.size)
        resized = rgb.resize((size, size), Resampling.BILINEAR, box=box)
        return torch.from_numpy(np.array(resized))


def read_rgb(path: Path) -> Image:
    """The picture in a file as a person sees it, 8-bit RGB.

    Raises:
        CorruptDataError: the file cannot be read as one image, or cannot be shown without loss.
    """
    from PIL import Image as Pillow

    try:
        with Pillow.open(path) as image:
            return as_seen(image)
    except Exception as error:  # Pillow raises errors of any kind for what a file may hold
        raise unreadable(path, error) from error


def unreadable(path: Path, error: Exception) -> CorruptDataError:
    """The error of a file for which Pillow, or `as_seen`, raised `error`; in one line."""
    reason = " ".join(str(error).split()) or type(error).__name__
    return CorruptDataError(f"{path}: cannot be read as an image: {reason}")
