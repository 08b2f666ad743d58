"""Reads the items of a `torch.utils.data.Dataset` as 8-bit pixels and labels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from prunetune.data.files import CorruptDataError
from prunetune.data.pixels import as_seen
from prunetune.data.resident import Images
from prunetune.protocols import Shape


def read_items(items: Any, who: str, shape: Shape, classes: int) -> Images:
    """All images and labels of a data set of pairs (image, label).

    An image is one of Pillow's, or an array or tensor of the given shape or of (height, width,
    channels): uint8, or floating point from 0 to 1, which is rounded to 255 steps.

    Raises:
        CorruptDataError: an item is none of these, has another shape or a label out of range, or is
            another one each time; names it.
    """
    pixels = torch.empty((len(items), *shape[1:], shape[0]), dtype=torch.uint8)
    labels = torch.empty(len(items), dtype=torch.int64)
    for i in range(len(items)):
        image, label = _item(items, i, who)
        pixels[i] = _pixels(image, shape, f"{who}: image {i}")
        labels[i] = _label(label, classes, f"{who}: item {i}")
    if len(items) and not torch.equal(pixels[0], _pixels(_item(items, 0, who)[0], shape, who)):
        raise CorruptDataError(
            f"{who}: image 0 is another one each time; leave augmentation to recipe.augment"
        )
    return Images(pixels, labels)


def shape_of(items: Any, who: str) -> Shape:
    """The shape (channels, height, width) of the first image.

    Raises:
        CorruptDataError: it is no image.
    """
    image, _ = _item(items, 0, who)
    if hasattr(image, "getbands"):  # one of Pillow's
        return (1 if len(image.getbands()) == 1 else 3, image.height, image.width)
    array = torch.as_tensor(image)
    if array.ndim == 2:
        return (1, array.shape[0], array.shape[1])
    if array.ndim == 3:
        channels_first = isinstance(image, Tensor)
        c, h, w = array.shape if channels_first else array.permute(2, 0, 1).shape
        return (c, h, w)
    raise CorruptDataError(f"{who}: image 0 has the shape {tuple(array.shape)}; allowed: 3 axes")


def _item(items: Any, index: int, who: str) -> tuple[Any, Any]:
    item = items[index]
    if not isinstance(item, tuple | list) or len(item) != 2:
        raise CorruptDataError(
            f"{who}: item {index} is a {type(item).__name__}; allowed: a pair (image, label)"
        )
    return item[0], item[1]


def _pixels(image: Any, shape: Shape, where: str) -> Tensor:
    """uint8 (height, width, channels)."""
    import numpy as np

    channels, height, width = shape
    own_axes = isinstance(image, Tensor)
    if hasattr(image, "getbands"):
        image = np.array(image.convert("L") if channels == 1 else as_seen(image))
    try:
        array = torch.as_tensor(image)
    except (TypeError, ValueError, RuntimeError) as error:
        raise CorruptDataError(f"{where} is a {type(image).__name__}, no image") from error
    if array.ndim == 2:
        array = array[..., None]
    elif tuple(array.shape) == shape and (own_axes or shape != (height, width, channels)):
        array = array.permute(1, 2, 0)
    if tuple(array.shape) != (height, width, channels):
        raise CorruptDataError(
            f"{where} has the shape {tuple(array.shape)}; allowed: {shape}, or "
            f"{(height, width, channels)}"
        )
    return _eight_bits(array, where)


def _eight_bits(array: Tensor, where: str) -> Tensor:
    if array.dtype == torch.uint8:
        return array
    if not array.is_floating_point():
        raise CorruptDataError(f"{where} is {array.dtype}; allowed: uint8, or floats from 0 to 1")
    least, most = float(array.min()), float(array.max())
    if not (least >= 0 and most <= 1):
        raise CorruptDataError(
            f"{where} has values from {least:g} to {most:g}; allowed: 0 to 1, or uint8; "
            "normalisation is prunetune's, by the parameters mean and std"
        )
    return array.mul(255).round().to(torch.uint8)


def _label(label: Any, classes: int, where: str) -> int:
    try:
        number = int(label)
    except (TypeError, ValueError) as error:
        raise CorruptDataError(f"{where} has the label {label!r}; allowed: a number") from error
    if not 0 <= number < classes or number != label:
        raise CorruptDataError(f"{where} has the label {label}; allowed: 0 to {classes - 1}")
    return number
