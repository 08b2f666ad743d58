"""From uint8 pixels to the float32 values that networks are given."""

from __future__ import annotations

import torch
from torch import Tensor

from prunetune.data.dataset import DatasetInfo


class Normalise:
    """uint8 (B, C, H, W) -> float32 with mean 0 and standard deviation 1; keeps memory format."""

    def __init__(self, info: DatasetInfo, device: torch.device) -> None:
        self.mean = 255 * torch.tensor(info.mean, device=device).view(1, -1, 1, 1)
        self.scale = 1 / (255 * torch.tensor(info.std, device=device).view(1, -1, 1, 1))

    def __call__(self, pixels: Tensor) -> Tensor:
        """The same images, normalised, as a new tensor."""
        return (pixels - self.mean).mul_(self.scale)

    @property
    def zero(self) -> Tensor:
        """The colour that is nearest to 0 after normalising, as uint8 (C)."""
        return self.mean.round().to(torch.uint8).flatten()
