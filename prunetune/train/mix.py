"""Mixup and cutmix: each image is blended with its neighbour in the (shuffled) batch."""

from __future__ import annotations

import random
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from prunetune.config.recipe import Recipe


@dataclass(frozen=True)
class MixedBatch:
    """Images and their labels; if images were mixed, also the second labels and their share."""

    x: Tensor
    y: Tensor
    other: Tensor | None = None
    other_share: float = 0.0


def mix(x: Tensor, y: Tensor, recipe: Recipe, draw: random.Random) -> MixedBatch:
    """The batch, mixed as the recipe says; if mixup and cutmix are both on, each gets half.

    One share and one box per batch are drawn on the host, so that nothing waits for a GPU.
    """
    kinds = [kind for kind in ("mixup", "cutmix") if getattr(recipe, kind)]
    if not kinds:
        return MixedBatch(x, y)
    if draw.choice(kinds) == "mixup":
        return mixup(x, y, draw.betavariate(recipe.mixup, recipe.mixup))
    return cutmix(x, y, draw.betavariate(recipe.cutmix, recipe.cutmix), draw)


def mixup(x: Tensor, y: Tensor, share: float) -> MixedBatch:
    """Blend: every image keeps `share` of itself (Zhang et al., 1710.09412)."""
    return MixedBatch(x.lerp(x.roll(1, 0), 1 - share), y, y.roll(1, 0), 1 - share)


def cutmix(x: Tensor, y: Tensor, share: float, draw: random.Random) -> MixedBatch:
    """Replace a box, about 1 - `share` of every image, by its neighbour's (Yun et al., 1905.04899).

    The centre of the box is uniform. Labels count the pixels of the box that lie in the image.
    """
    height, width = x.shape[-2:]
    top, bottom = _interval(height, (1 - share) ** 0.5, draw)
    left, right = _interval(width, (1 - share) ** 0.5, draw)
    x = x.clone()
    x[..., top:bottom, left:right] = x[..., top:bottom, left:right].roll(1, 0)
    area = (bottom - top) * (right - left) / (height * width)
    return MixedBatch(x, y, y.roll(1, 0), area)


def mixed_loss(logits: Tensor, batch: MixedBatch, label_smoothing: float) -> Tensor:
    """Mean cross-entropy over the batch; both labels of an image count by their shares."""
    loss = F.cross_entropy(logits, batch.y, label_smoothing=label_smoothing)
    if batch.other is None:
        return loss
    other = F.cross_entropy(logits, batch.other, label_smoothing=label_smoothing)
    return loss.lerp(other, batch.other_share)


def _interval(size: int, share: float, draw: random.Random) -> tuple[int, int]:
    centre, half = draw.randrange(size), int(size * share) // 2
    return max(centre - half, 0), min(centre + half, size)
