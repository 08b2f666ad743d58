"""ResNets with four stages for ImageNet (He et al. 2016, 1512.03385), at any widths.

At their usual widths they are torchvision's networks, module names included, so torchvision's
weights load strictly. Bottlenecks have their stride in the 3x3 convolution ("v1.5").
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from prunetune.config.parts import Params
from prunetune.models.family import ScalableFamily, TorchvisionWeights, check_widths, per_block
from prunetune.protocols import Shape
from prunetune.registry import models


class ImageNetResNetParams(Params):
    """Stem and widths of an ImageNet ResNet."""

    stem: Annotated[
        Literal["imagenet", "cifar"],
        Field(description="imagenet: 7x7, stride 2, then max pooling; cifar: 3x3, stride 1"),
    ] = "imagenet"
    widths: Annotated[
        tuple[int, ...],
        Field(description="channels per stage; a bottleneck's output has four times as many"),
    ] = (64, 128, 256, 512)
    inner: Annotated[
        tuple[int, ...] | None,
        Field(
            description="channels inside each block (in a bottleneck, of both inner convolutions); "
            "0: the block is only its shortcut; null: the width of its stage"
        ),
    ] = None


def _projection(channels_in: int, channels_out: int, stride: int) -> nn.Sequential:
    """The shortcut of a block that changes the shape of the residual stream."""
    conv = nn.Conv2d(channels_in, channels_out, 1, stride, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(channels_out))


class ImageNetBasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut; without inner channels, the shortcut alone."""

    expansion = 1

    def __init__(self, channels_in: int, inner: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.inner = inner
        if inner:
            self.conv1 = nn.Conv2d(channels_in, inner, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(inner)
            self.conv2 = nn.Conv2d(inner, channels_out, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(channels_out)
        self.downsample: nn.Module | None = None

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, channels_out, H / stride, W / stride).

        ReLU works in place on the sum only: a hook never sees the sum, so none sees it change.
        """
        shortcut = x if self.downsample is None else self.downsample(x)
        if not self.inner:
            return F.relu(shortcut)
        out = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(out)) + shortcut, inplace=True)


class Bottleneck(nn.Module):
    """A 1x1, a 3x3 and a 1x1 convolution beside a shortcut; or the shortcut alone."""

    expansion = 4

    def __init__(self, channels_in: int, inner: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.inner = inner
        if inner:
            self.conv1 = nn.Conv2d(channels_in, inner, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(inner)
            self.conv2 = nn.Conv2d(inner, inner, 3, stride, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(inner)
            self.conv3 = nn.Conv2d(inner, channels_out, 1, bias=False)
            self.bn3 = nn.BatchNorm2d(channels_out)
        self.downsample: nn.Module | None = None

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, channels_out, H / stride, W / stride).

        ReLU works in place on the sum only: a hook never sees the sum, so none sees it change.
        """
        shortcut = x if self.downsample is None else self.downsample(x)
        if not self.inner:
            return F.relu(shortcut)
        out = F.relu(self.bn1(self.conv1(x)))
        out = F.relu(self.bn2(self.conv2(out)))
        return F.relu(self.bn3(self.conv3(out)) + shortcut, inplace=True)


_BlockType = type[ImageNetBasicBlock] | type[Bottleneck]


def _stage(
    block: _BlockType, channels_in: int, inner: tuple[int, ...], channels_out: int, stride: int
) -> nn.Sequential:
    """One block per inner width; the first block has the stride, and a projection if needed."""
    first = block(channels_in, inner[0], channels_out, stride)
    # a test of the widths would be wrong here: the modules must be the same at any widths
    if stride > 1 or block.expansion > 1:
        first.downsample = _projection(channels_in, channels_out, stride)
    return nn.Sequential(
        first, *(block(channels_out, width, channels_out, 1) for width in inner[1:])
    )


class ImageNetResNet(nn.Module):
    """A stem, four stages of blocks, the mean over pixels, a linear classifier."""

    def __init__(
        self,
        block: _BlockType,
        blocks: tuple[int, ...],
        params: ImageNetResNetParams,
        inner: tuple[int, ...],
        classes: int,
        c: int,
    ) -> None:
        super().__init__()
        channels = params.widths[0]
        if params.stem == "imagenet":
            self.conv1 = nn.Conv2d(c, channels, 7, 2, 3, bias=False)
            self.maxpool: nn.Module = nn.MaxPool2d(3, 2, 1)
        else:
            self.conv1 = nn.Conv2d(c, channels, 3, 1, 1, bias=False)
            self.maxpool = nn.Identity()
        self.bn1 = nn.BatchNorm2d(channels)
        self.layer1, self.layer2, self.layer3, self.layer4 = (
            _stage(
                block,
                params.widths[max(i - 1, 0)] * (block.expansion if i else 1),
                inner[sum(blocks[:i]) : sum(blocks[: i + 1])],
                width * block.expansion,
                stride=2 if i else 1,
            )
            for i, width in enumerate(params.widths)
        )
        self.fc = nn.Linear(params.widths[-1] * block.expansion, classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> logits (N, classes)."""
        x = self.maxpool(F.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        logits: Tensor = self.fc(x.mean((2, 3)))
        return logits


class ImageNetResNetFamily(TorchvisionWeights, ScalableFamily):
    """ResNet with four stages for ImageNet, at any widths."""

    def __init__(
        self, name: str, block: _BlockType, blocks: tuple[int, ...], wide: int = 1
    ) -> None:
        self.name, self.block, self.blocks, self.wide = name, block, blocks, wide

    def build(
        self, params: ImageNetResNetParams, classes: int, input_shape: Shape
    ) -> ImageNetResNet:
        """A fresh network; see `Family`."""
        n_stages, n_blocks = len(self.blocks), sum(self.blocks)
        check_widths(params.widths, n_stages, params.inner, n_blocks, smallest_inner=0)
        inner = self.inner_widths(params)
        return ImageNetResNet(self.block, self.blocks, params, inner, classes, input_shape[0])

    def initialise(self, model: nn.Module) -> None:
        """Kaiming normal over the fan-out, as in torchvision; the classifier as in PyTorch."""
        for module in model.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, nn.BatchNorm2d | nn.Linear):
                module.reset_parameters()

    def stage_widths(self, params: ImageNetResNetParams) -> tuple[int, ...]:
        """The base width of each stage: the stream's width divided by the block's expansion."""
        return params.widths

    def inner_widths(self, params: ImageNetResNetParams) -> tuple[int, ...]:
        """The channels inside each block; in the wide networks twice the width of the stage."""
        stage_widths = (width * self.wide for width in params.widths)
        return params.inner or per_block(tuple(stage_widths), self.blocks)


for _name, _block, _blocks, _wide in (
    ("resnet18", ImageNetBasicBlock, (2, 2, 2, 2), 1),
    ("resnet34", ImageNetBasicBlock, (3, 4, 6, 3), 1),
    ("resnet50", Bottleneck, (3, 4, 6, 3), 1),
    ("resnet101", Bottleneck, (3, 4, 23, 3), 1),
    ("resnet152", Bottleneck, (3, 8, 36, 3), 1),
    ("wide_resnet50_2", Bottleneck, (3, 4, 6, 3), 2),
    ("wide_resnet101_2", Bottleneck, (3, 4, 23, 3), 2),
):
    models.register(_name, params=ImageNetResNetParams)(
        ImageNetResNetFamily(_name, _block, _blocks, _wide)
    )
