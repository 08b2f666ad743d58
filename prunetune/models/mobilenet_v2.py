"""MobileNetV2 (Sandler et al. 2018, 1801.04381) by explicit widths.

At its usual widths it is torchvision's network, to the names of its modules, so that its published
weights load strictly. With the stem for small images neither the stem nor the second stage strides.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from prunetune.config.parts import Params
from prunetune.models.family import OfTorchvision, OfWidths, check_widths
from prunetune.models.init import kaiming_small_linear, redraw
from prunetune.protocols import Shape
from prunetune.registry import models

BLOCKS = (1, 2, 3, 4, 3, 3, 1)
"""Per stage."""
STRIDES = (1, 2, 2, 2, 1, 2, 1)
"""Of the first block of each stage."""
EXPANSION = 6
"""Hidden channels per input channel, but for the first block, which does not expand."""


class MobileNetV2Params(Params):
    """Stem and widths of a MobileNetV2."""

    stem: Annotated[
        Literal["imagenet", "cifar"],
        Field(description="imagenet: of stride 2; cifar: of stride 1, and so the second stage"),
    ] = "imagenet"
    widths: Annotated[
        tuple[int, ...],
        Field(description="channels of the stem, of each of seven stages, of the last convolution"),
    ] = (32, 16, 24, 32, 64, 96, 160, 320, 1280)
    inner: Annotated[
        tuple[int, ...] | None,
        Field(
            description="hidden channels of each block but the first; 0, where a block has a "
            "shortcut: it is only that; null: six times what the block reads"
        ),
    ] = None


def conv_bn_relu(
    channels_in: int, channels_out: int, kernel: int, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    """A convolution that keeps the size but for its stride, batch norm, ReLU6."""
    conv = nn.Conv2d(
        channels_in, channels_out, kernel, stride, kernel // 2, groups=groups, bias=False
    )
    return nn.Sequential(conv, nn.BatchNorm2d(channels_out), nn.ReLU6())


class InvertedResidual(nn.Module):
    """1x1 to hidden channels, 3x3 of each of them by itself, 1x1 back; a shortcut if asked for.

    `hidden` None: the block does not expand and works on its input channels.
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
        rest = iter(hidden)
        ends = pairwise(widths[:-1])
        for (wide_in, wide_out), n, stride in zip(ends, BLOCKS, stage_strides, strict=True):
            self.features.append(
                InvertedResidual(wide_in, next(rest), wide_out, stride, shortcut=False)
            )
            for _ in range(n - 1):
                self.features.append(
                    InvertedResidual(wide_out, next(rest), wide_out, 1, shortcut=True)
                )
        self.features.append(conv_bn_relu(widths[-2], widths[-1], 1))
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(widths[-1], classes))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> logits (N, classes)."""
        logits: Tensor = self.classifier(self.features(x).mean((2, 3)))
        return logits


class MobileNetV2Family(OfTorchvision, OfWidths):
    """MobileNetV2 for ImageNet or small images, at any widths."""

    name = "mobilenet_v2"

    def build(self, params: MobileNetV2Params, classes: int, input_shape: Shape) -> nn.Module:
        """A fresh network; see `Family`."""
        check_widths(params.widths, len(BLOCKS) + 2, params.inner, sum(BLOCKS) - 1, fewest=0)
        inner = self.inner_widths(params)
        for i, width in enumerate(inner, 1):
            if not width and i in FIRSTS:
                raise ValueError(f"inner: 0 in place {i}; allowed: 1 and up, no shortcut is there")
        small = params.stem == "cifar"
        strides = (1, 1, 1, *STRIDES[2:]) if small else (2, *STRIDES)
        return MobileNetV2(params.widths, (None, *inner), strides, classes, input_shape[0])

    def initialise(self, model: nn.Module) -> None:
        """As torchvision does: convolutions by fan-out, linear layers of deviation 0.01."""
        redraw(model, kaiming_small_linear)

    def stage_widths(self, params: MobileNetV2Params) -> tuple[int, ...]:
        """Channels of the stem, of the residual stream per stage, of the last convolution."""
        return params.widths

    def inner_widths(self, params: MobileNetV2Params) -> tuple[int, ...]:
        """Hidden channels of each block but the first."""
        if params.inner is not None:
            return params.inner
        ends = zip(pairwise(params.widths[:-1]), BLOCKS, strict=True)
        read = [w for (before, after), n in ends for w in (before, *(after,) * (n - 1))]
        return tuple(EXPANSION * width for width in read[1:])


FIRSTS = {sum(BLOCKS[:i]) for i in range(len(BLOCKS))}
"""Blocks without a shortcut, counted from 0: the first one of each stage."""

models.register("mobilenet_v2", params=MobileNetV2Params)(MobileNetV2Family())
