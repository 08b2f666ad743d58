"""Pixels of uint8 to what networks are fed."""

from __future__ import annotations

import torch
from torch import Tensor

from prunetune.data.dataset import DatasetInfo


class Normalise:
    """uint8 (B, C, H, W) to float32 of about mean 0 and deviation 1, memory format kept."""

    def __init__(self, info: DatasetInfo, device: torch.device) -> None:
        self.mean = 255 * torch.tensor(info.mean, device=device).view(1, -1, 1, 1)
        self.scale = 1 / (255 * torch.tensor(info.std, device=device).view(1, -1, 1, 1))

    def __call__(self, pixels: Tensor) -> Tensor:
        """The same images, as new tensor."""
        return (pixels - self.mean).mul_(self.scale)

    @property
    def zero(self) -> Tensor:
        """The colour, as uint8 (C), that comes nearest to 0."""
        return self.mean.round().to(torch.uint8).flatten()
