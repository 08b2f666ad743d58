"""A factor for each channel, computed from the mean of all channels."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Gate(nn.Module):
    """Squeeze and excitation with one linear layer."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        return x * torch.sigmoid(self.fc(x.mean((2, 3))))[:, :, None, None]
