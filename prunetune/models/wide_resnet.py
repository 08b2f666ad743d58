"""Wide ResNets for small images, of depth 6n + 4 (Zagoruyko & Komodakis 2016, 1605.07146).

Blocks are pre-activated: batch norm and ReLU come before each convolution, and nothing comes after
the residual sum. Modules have the names of the best known code (xternalz/WideResNet-pytorch). The
stem has 16 channels at any widths, as published; in `wrn_*_1` it has the width of the first stage.
"""

from __future__ import annotations

from typing import Annotated

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from prunetune.config.parts import Params
from prunetune.models.family import ScalableFamily, check_widths, per_block
from prunetune.models.init import kaiming_zero_bias, redraw
from prunetune.protocols import Shape
from prunetune.registry import models

_DEPTHS = range(10, 41, 6)
_FACTORS = (1, 2, 4, 8, 10)
_STEM = 16
_STAGES = 3


class WideResNetParams(Params):
    """Widths of a wide ResNet."""

    widths: Annotated[
        tuple[int, ...] | None, Field(description="channels per stage; null: k times 16, 32, 64")
    ] = None
    inner: Annotated[
        tuple[int, ...] | None,
        Field(
            description="channels inside each block; 0: the block is only its shortcut; "
            "null: the width of its stage"
        ),
    ] = None


class PreActBlock(nn.Module):
    """Two 3x3 convolutions, each after batch norm and ReLU, beside a shortcut.

    A projecting shortcut reads the output of the first batch norm and ReLU; any other shortcut is
    the input of the block. Without inner channels only the shortcut is left, with the batch norm
    that it reads.
    """

    def __init__(
        self, channels_in: int, inner: int, channels_out: int, stride: int, project: bool
    ) -> None:
        super().__init__()
        self.inner, self.project = inner, project
        if inner or project:
            self.bn1 = nn.BatchNorm2d(channels_in)
        if inner:
            self.conv1 = nn.Conv2d(channels_in, inner, 3, stride, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(inner)
            self.conv2 = nn.Conv2d(inner, channels_out, 3, 1, 1, bias=False)
        if project:
            self.convShortcut = nn.Conv2d(channels_in, channels_out, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, channels_out, H / stride, W / stride)."""
        if not self.inner and not self.project:
            return x
        active = F.relu(self.bn1(x))
        shortcut: Tensor = self.convShortcut(active) if self.project else x
        if not self.inner:
            return shortcut
        out: Tensor = self.conv2(F.relu(self.bn2(self.conv1(active))))
        return out + shortcut


class Stage(nn.Module):
    """One block per inner width; the first block has the stride."""

    def __init__(
        self,
        channels_in: int,
        inner: tuple[int, ...],
        channels_out: int,
        stride: int,
        project: bool,
    ) -> None:
        super().__init__()
        first = PreActBlock(channels_in, inner[0], channels_out, stride, project)
        rest = (PreActBlock(channels_out, n, channels_out, 1, project=False) for n in inner[1:])
        self.layer = nn.Sequential(first, *rest)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, channels_out, H / stride, W / stride)."""
        out: Tensor = self.layer(x)
        return out


class WideResNet(nn.Module):
    """A 3x3 stem, three stages, batch norm and ReLU, the mean over pixels, a linear classifier."""

    def __init__(
        self, widths: tuple[int, ...], inner: tuple[int, ...], wide: bool, classes: int, c: int
    ) -> None:
        super().__init__()
        n = len(inner) // _STAGES
        # the name decides whether the first stage projects: the modules are the same at any widths
        stem = _STEM if wide else widths[0]
        self.conv1 = nn.Conv2d(c, stem, 3, 1, 1, bias=False)
        self.block1 = Stage(stem, inner[:n], widths[0], 1, wide)
        self.block2 = Stage(widths[0], inner[n : 2 * n], widths[1], 2, project=True)
        self.block3 = Stage(widths[1], inner[2 * n :], widths[2], 2, project=True)
        self.bn1 = nn.BatchNorm2d(widths[2])
        self.fc = nn.Linear(widths[2], classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> logits (N, classes)."""
        x = self.block3(self.block2(self.block1(self.conv1(x))))
        logits: Tensor = self.fc(F.relu(self.bn1(x)).mean((2, 3)))
        return logits


class WideResNetFamily(ScalableFamily):
    """Pre-activation ResNet of depth 6n + 4, k times as wide, at any widths."""

    def __init__(self, name: str, depth: int, factor: int) -> None:
        self.name, self.factor = name, factor
        self.blocks = (depth - 4) // 6
        """Blocks per stage."""

    def build(self, params: WideResNetParams, classes: int, input_shape: Shape) -> nn.Module:
        """A fresh network; see `Family`."""
        widths = self.stage_widths(params)
        check_widths(widths, _STAGES, params.inner, _STAGES * self.blocks, smallest_inner=0)
        inner = self.inner_widths(params)
        return WideResNet(widths, inner, self.factor > 1, classes, input_shape[0])

    def initialise(self, model: nn.Module) -> None:
        """Kaiming normal over the fan-out; the classifier as in PyTorch, with bias 0."""
        redraw(model, kaiming_zero_bias)

    def stage_widths(self, params: WideResNetParams) -> tuple[int, ...]:
        """The channels of the residual stream in each stage."""
        return params.widths or tuple(_STEM * self.factor * 2**i for i in range(_STAGES))

    def inner_widths(self, params: WideResNetParams) -> tuple[int, ...]:
        """The channels between the two convolutions of each block."""
        return params.inner or per_block(self.stage_widths(params), (self.blocks,) * _STAGES)


for _depth in _DEPTHS:
    for _factor in _FACTORS:
        _name = f"wrn_{_depth}_{_factor}"
        models.register(_name, params=WideResNetParams)(WideResNetFamily(_name, _depth, _factor))
