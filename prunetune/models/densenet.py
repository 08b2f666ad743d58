"""DenseNet-BC for small images (Huang et al. 2017, 1608.06993), with a growth of 12 by default.

Modules have the names of Crowley et al.'s code (BayesWatch/pytorch-prunes), which come from
bamos/densenet.pytorch. For ImageNet see torchvision's `densenet121` and its variants.
"""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from prunetune.config.parts import Params
from prunetune.models.family import FixedFamily
from prunetune.models.init import kaiming_zero_bias, redraw
from prunetune.protocols import Shape
from prunetune.registry import models

_DEPTHS = (40, 100)
_BOTTLENECK = 4
"""Output channels of a layer's 1x1 convolution, for each channel that the layer adds."""


class DenseNetParams(Params):
    """Growth of a DenseNet-BC."""

    growth: Annotated[
        int, Field(ge=1, description="channels that each layer adds (k in the paper)")
    ] = 12


class DenseLayer(nn.Module):
    """Adds `growth` channels, computed from all earlier channels by a 1x1 and a 3x3 convolution."""

    def __init__(self, channels_in: int, growth: int) -> None:
        super().__init__()
        inner = _BOTTLENECK * growth
        self.bn1 = nn.BatchNorm2d(channels_in)
        self.conv1 = nn.Conv2d(channels_in, inner, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, growth, 3, 1, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C + growth, H, W)."""
        out = self.conv1(F.relu(self.bn1(x)))
        return torch.cat((x, self.conv2(F.relu(self.bn2(out)))), 1)


class Transition(nn.Module):
    """Halves the channels with a 1x1 convolution, and each side of the image by averaging."""

    def __init__(self, channels_in: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(channels_in)
        self.conv1 = nn.Conv2d(channels_in, channels_in // 2, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C // 2, H // 2, W // 2)."""
        return F.avg_pool2d(self.conv1(F.relu(self.bn1(x))), 2)


class DenseNet(nn.Module):
    """A 3x3 stem, three dense stages with a transition between them, a linear classifier."""

    def __init__(self, layers: int, growth: int, classes: int, c: int) -> None:
        super().__init__()
        channels = 2 * growth
        self.conv1 = nn.Conv2d(c, channels, 3, 1, 1, bias=False)
        self.dense1 = _dense(channels, growth, layers)
        channels += layers * growth
        self.trans1 = Transition(channels)
        channels //= 2
        self.dense2 = _dense(channels, growth, layers)
        channels += layers * growth
        self.trans2 = Transition(channels)
        channels //= 2
        self.dense3 = _dense(channels, growth, layers)
        channels += layers * growth
        self.bn1 = nn.BatchNorm2d(channels)
        self.fc = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> logits (N, classes)."""
        x = self.trans1(self.dense1(self.conv1(x)))
        x = self.dense3(self.trans2(self.dense2(x)))
        logits: Tensor = self.fc(F.relu(self.bn1(x)).mean((2, 3)))
        return logits


def _dense(channels: int, growth: int, layers: int) -> nn.Sequential:
    return nn.Sequential(*(DenseLayer(channels + i * growth, growth) for i in range(layers)))


class DenseNetFamily(FixedFamily):
    """DenseNet with bottlenecks and compression for small images, with any growth."""

    def __init__(self, name: str, depth: int) -> None:
        self.name = name
        self.layers = (depth - 4) // 6
        """Layers per stage."""

    def build(self, params: DenseNetParams, classes: int, input_shape: Shape) -> nn.Module:
        """A fresh network; see `Family`."""
        return DenseNet(self.layers, params.growth, classes, input_shape[0])

    def initialise(self, model: nn.Module) -> None:
        """As published: Kaiming normal over the fan-out for convolutions, biases 0."""
        redraw(model, kaiming_zero_bias)


for _depth in _DEPTHS:
    _name = f"densenet_bc_{_depth}"
    models.register(_name, params=DenseNetParams)(DenseNetFamily(_name, _depth))
