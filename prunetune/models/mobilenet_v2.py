"""MobileNetV2 (Sandler et al. 2018, 1801.04381), at any widths.

At its usual widths it is torchvision's network, module names included, so torchvision's weights
load strictly. For small images (`stem: cifar`) the stem and the second stage have stride 1.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from prunetune.config.parts import Params
from prunetune.models.family import ScalableFamily, TorchvisionWeights, check_widths
from prunetune.models.init import kaiming_small_linear, redraw
from prunetune.protocols import Shape
from prunetune.registry import models

_BLOCKS = (1, 2, 3, 4, 3, 3, 1)
"""Blocks per stage."""
_FIRST_BLOCKS = {sum(_BLOCKS[:i]) for i in range(len(_BLOCKS))}
"""The first block of each stage, counted over the network from 0: it has no shortcut."""
_STRIDES = (1, 2, 2, 2, 1, 2, 1)
"""Stride of the first block of each stage."""
_EXPANSION = 6
"""Hidden channels per input channel of a block. The first block does not expand."""


class MobileNetV2Params(Params):
    """Stem and widths of a MobileNetV2."""

    stem: Annotated[
        Literal["imagenet", "cifar"],
        Field(description="imagenet: stride 2; cifar: stride 1, in the second stage too"),
    ] = "imagenet"
    widths: Annotated[
        tuple[int, ...],
        Field(description="channels of the stem, the seven stages and the last convolution"),
    ] = (32, 16, 24, 32, 64, 96, 160, 320, 1280)
    inner: Annotated[
        tuple[int, ...] | None,
        Field(
            description="hidden channels of each block but the first; 0 (only for a block with a "
            "shortcut): the block is only its shortcut; null: six times the block's input"
        ),
    ] = None


def conv_bn_relu(
    channels_in: int, channels_out: int, kernel: int, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    """A padded convolution, batch norm, ReLU6."""
    conv = nn.Conv2d(
        channels_in, channels_out, kernel, stride, kernel // 2, groups=groups, bias=False
    )
    return nn.Sequential(conv, nn.BatchNorm2d(channels_out), nn.ReLU6())


class InvertedResidual(nn.Module):
    """A 1x1 convolution to the hidden channels, a depthwise 3x3, a 1x1 back; perhaps a shortcut.

    If `hidden` is None, the block has no first convolution and works on its input channels.
    """

    def __init__(
        self, channels_in: int, hidden: int | None, channels_out: int, stride: int, shortcut: bool
    ) -> None:
        super().__init__()
        self.shortcut = shortcut
        self.conv = nn.Sequential()
        if hidden == 0:
            return
        if hidden is not None:
            self.conv.append(conv_bn_relu(channels_in, hidden, 1))
        c = channels_in if hidden is None else hidden
        self.conv.append(conv_bn_relu(c, c, 3, stride, groups=c))
        self.conv.append(nn.Conv2d(c, channels_out, 1, bias=False))
        self.conv.append(nn.BatchNorm2d(channels_out))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, channels_out, H / stride, W / stride)."""
        if not len(self.conv):
            return x
        out: Tensor = self.conv(x)
        return out + x if self.shortcut else out


class MobileNetV2(nn.Module):
    """A stem, seven stages of inverted residuals, a 1x1 convolution, a linear classifier."""

    def __init__(
        self,
        widths: tuple[int, ...],
        hidden: tuple[int | None, ...],
        strides: tuple[int, ...],
        classes: int,
        c: int,
    ) -> None:
        super().__init__()
        stem_stride, *stage_strides = strides
        self.features = nn.Sequential(conv_bn_relu(c, widths[0], 3, stem_stride))
        hidden_left = iter(hidden)
        ends = pairwise(widths[:-1])
        for (width_in, width_out), n, stride in zip(ends, _BLOCKS, stage_strides, strict=True):
            self.features.append(
                InvertedResidual(width_in, next(hidden_left), width_out, stride, shortcut=False)
            )
            for _ in range(n - 1):
                self.features.append(
                    InvertedResidual(width_out, next(hidden_left), width_out, 1, shortcut=True)
                )
        self.features.append(conv_bn_relu(widths[-2], widths[-1], 1))
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(widths[-1], classes))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> logits (N, classes)."""
        logits: Tensor = self.classifier(self.features(x).mean((2, 3)))
        return logits


class MobileNetV2Family(TorchvisionWeights, ScalableFamily):
    """MobileNetV2 for ImageNet or small images, at any widths."""

    name = "mobilenet_v2"

    def build(self, params: MobileNetV2Params, classes: int, input_shape: Shape) -> nn.Module:
        """A fresh network; see `Family`."""
        check_widths(
            params.widths, len(_BLOCKS) + 2, params.inner, sum(_BLOCKS) - 1, smallest_inner=0
        )
        inner = self.inner_widths(params)
        for i, width in enumerate(inner, 1):
            if not width and i in _FIRST_BLOCKS:
                raise ValueError(
                    f"inner: 0 in place {i}; allowed: 1 and up, this block has no shortcut"
                )
        small = params.stem == "cifar"
        strides = (1, 1, 1, *_STRIDES[2:]) if small else (2, *_STRIDES)
        return MobileNetV2(params.widths, (None, *inner), strides, classes, input_shape[0])

    def initialise(self, model: nn.Module) -> None:
        """As in torchvision; see `kaiming_small_linear`."""
        redraw(model, kaiming_small_linear)

    def stage_widths(self, params: MobileNetV2Params) -> tuple[int, ...]:
        """The channels of the stem, of each stage's residual stream and of the last convolution."""
        return params.widths

    def inner_widths(self, params: MobileNetV2Params) -> tuple[int, ...]:
        """The hidden channels of each block but the first."""
        if params.inner is not None:
            return params.inner
        stages = zip(pairwise(params.widths[:-1]), _BLOCKS, strict=True)
        inputs = [
            width
            for (stage_in, stage_out), n in stages
            for width in (stage_in, *(stage_out,) * (n - 1))
        ]
        return tuple(_EXPANSION * width for width in inputs[1:])


models.register("mobilenet_v2", params=MobileNetV2Params)(MobileNetV2Family())
