"""Random crops, flips and cutout for a whole batch at once, with random numbers per image.

torchvision's transforms, applied to a batch, draw once and change all its images alike. The
functions in this module never wait for the GPU.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor


def pad(images: Tensor, crop: int, mode: Literal["zero", "reflect"], fill: Tensor) -> Tensor:
    """uint8 (N, H, W, C) with a margin of `crop` pixels on each side.

    The margin has the colour `fill` (zero) or mirrors the image without its edge pixel (reflect);
    it is mirrored again where the margin is larger than the image.
    """
    n, height, width, channels = images.shape
    if mode == "zero":
        padded = fill.expand(n, height + 2 * crop, width + 2 * crop, channels).clone()
        padded[:, crop : crop + height, crop : crop + width] = images
        return padded
    rows, columns = (_mirrored(size, crop, images.device) for size in (height, width))
    return images[:, rows[:, None], columns]


def _mirrored(size: int, crop: int, device: torch.device) -> Tensor:
    period = max(2 * (size - 1), 1)  # forward and back, with each end pixel once
    index = torch.arange(-crop, size + crop, device=device) % period
    return torch.minimum(index, period - index)


def crop_flip(
    padded: Tensor, index: Tensor, size: tuple[int, int], flip: bool, generator: torch.Generator
) -> Tensor:
    """The images `index` of uint8 (N, H', W', C), each cropped to `size` and, if `flip`, mirrored.

    The position of the crop and whether to mirror are drawn per image. Crop and flip are a single
    gather. Returns uint8 (B, C, H, W) in channels-last memory.
    """
    (height, width), device = size, padded.device
    margin = padded.shape[1] - height
    if not margin and not flip:
        return padded[index].permute(0, 3, 1, 2)
    batch = (len(index), 1)
    rows, columns = torch.arange(height, device=device), torch.arange(width, device=device)
    if flip:
        mirrored = torch.randint(0, 2, batch, generator=generator, device=device).bool()
        columns = torch.where(mirrored, width - 1 - columns, columns)
    if margin:
        down, right = torch.randint(0, margin + 1, (2, *batch), generator=generator, device=device)
        rows, columns = rows + down, columns + right
    rows, columns = rows.expand(len(index), -1), columns.expand(len(index), -1)
    gathered = padded[index[:, None, None], rows[:, :, None], columns[:, None, :]]
    return gathered.permute(0, 3, 1, 2)


def cutout(x: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """Set one square of each image to 0, in place; its centre may be any pixel (1708.04552)."""
    n, _, height, width = x.shape
    inside = []
    for size in (height, width):
        centre = torch.randint(0, size, (n, 1), generator=generator, device=x.device)
        offset = torch.arange(size, device=x.device) - centre + side // 2
        inside.append((offset >= 0) & (offset < side))
    rows, columns = inside
    return x.masked_fill_((rows[:, :, None] & columns[:, None, :])[:, None], 0.0)
