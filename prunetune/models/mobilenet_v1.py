"""MobileNetV1 (Howard et al. 2017, 1704.04861), at any widths.

Modules have the names of timm's `mobilenetv1_100`, so timm's published files load by their path.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from prunetune.config.parts import Params
from prunetune.models.family import ScalableFamily, check_widths, per_block
from prunetune.models.init import kaiming_small_linear, redraw
from prunetune.protocols import Shape
from prunetune.registry import models

_BLOCKS = (1, 2, 2, 6, 2)
"""Blocks per stage. The first block of every stage but the first has stride 2."""


class MobileNetV1Params(Params):
    """Stem and widths of a MobileNetV1."""

    stem: Annotated[
        Literal["imagenet", "cifar"],
        Field(description="imagenet: 3x3, stride 2; cifar: 3x3, stride 1"),
    ] = "imagenet"
    widths: Annotated[
        tuple[int, ...],
        Field(description="channels of the stem, and of the last block of each stage"),
    ] = (32, 64, 128, 256, 512, 1024)
    inner: Annotated[
        tuple[int, ...] | None,
        Field(description="channels of each stage's other blocks; null: the width of their stage"),
    ] = None


class SeparableBlock(nn.Module):
    """A depthwise 3x3 convolution, then a 1x1 convolution."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        c = channels_in
        self.conv_dw = nn.Conv2d(c, c, 3, stride, 1, groups=c, bias=False)
        self.bn1 = nn.BatchNorm2d(c)
        self.conv_pw = nn.Conv2d(c, channels_out, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels_out)
        self.act = nn.ReLU6()

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, channels_out, H / stride, W / stride)."""
        x = self.act(self.bn1(self.conv_dw(x)))
        out: Tensor = self.act(self.bn2(self.conv_pw(x)))
        return out


class MobileNetV1(nn.Module):
    """A stem, five stages of separable blocks, the mean over pixels, a linear classifier."""

    def __init__(
        self, stages: list[tuple[int, ...]], stem_stride: int, classes: int, c: int
    ) -> None:
        super().__init__()
        (stem,), *rest = stages
        self.conv_stem = nn.Conv2d(c, stem, 3, stem_stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(stem)
        self.act = nn.ReLU6()
        self.blocks = nn.Sequential()
        c = stem
        for i, widths in enumerate(rest):
            stage = nn.Sequential()
            for j, width in enumerate(widths):
                stage.append(SeparableBlock(c, width, 2 if i and not j else 1))
                c = width
            self.blocks.append(stage)
        self.classifier = nn.Linear(c, classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> logits (N, classes)."""
        x = self.blocks(self.act(self.bn1(self.conv_stem(x))))
        logits: Tensor = self.classifier(x.mean((2, 3)))
        return logits


class MobileNetV1Family(ScalableFamily):
    """MobileNetV1 for ImageNet or small images, at any widths."""

    name = "mobilenet_v1"
    inner_blocks = (0, *(n - 1 for n in _BLOCKS))
    """Blocks before the last one, in the stem and in each stage."""

    def build(self, params: MobileNetV1Params, classes: int, input_shape: Shape) -> nn.Module:
        """A fresh network; see `Family`."""
        check_widths(params.widths, len(self.inner_blocks), params.inner, sum(self.inner_blocks))
        inner = iter(self.inner_widths(params))
        stages = [
            (*(next(inner) for _ in range(n)), width)
            for n, width in zip(self.inner_blocks, params.widths, strict=True)
        ]
        stride = 2 if params.stem == "imagenet" else 1
        return MobileNetV1(stages, stride, classes, input_shape[0])

    def initialise(self, model: nn.Module) -> None:
        """As in torchvision's MobileNetV2; see `kaiming_small_linear`."""
        redraw(model, kaiming_small_linear)

    def stage_widths(self, params: MobileNetV1Params) -> tuple[int, ...]:
        """The output channels of the stem and of each stage."""
        return params.widths

    def inner_widths(self, params: MobileNetV1Params) -> tuple[int, ...]:
        """The output channels of the blocks that are not the last one of their stage."""
        return params.inner or per_block(params.widths, self.inner_blocks)


models.register("mobilenet_v1", params=MobileNetV1Params)(MobileNetV1Family())
