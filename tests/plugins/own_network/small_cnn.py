"""A small network with a block of its own: gated convolutions beside a shortcut."""

from __future__ import annotations

import torch
from gate import Gate
from torch import Tensor, nn


class GatedBlock(nn.Module):
    """Two convolutions, each channel weighed by what all channels say, beside a shortcut."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, inner, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(inner)
        self.gate = Gate(inner)
        self.conv2 = nn.Conv2d(inner, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        y = self.gate(torch.relu(self.norm1(self.conv1(x))))
        return torch.relu(x + self.norm2(self.conv2(y)))


class SmallCNN(nn.Module):
    """A stem, two stages with a block each, and a 1x1 convolution that computes the logits."""

    def __init__(self, classes: int, channels: int = 1, width: int = 16) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width))
        self.stage1 = GatedBlock(width, width)
        self.down = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.stage2 = GatedBlock(2 * width, 3 * width)
        self.logits = nn.Conv2d(2 * width, classes, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) -> logits (N, classes)."""
        x = self.stage1(torch.relu(self.stem(x)))
        x = self.stage2(torch.relu(self.down(x)))
        return self.logits(x).mean((2, 3))
