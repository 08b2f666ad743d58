"""ResNets for small images, of depth 6n + 2 (He et al. 2016, 1512.03385, section 4.2).

Modules have the names of the best known checkpoints (akamaster/pytorch_resnet_cifar10), so those
checkpoints load strictly. The residual stream has one width per stage. Inside each block the two
convolutions meet at a width of the block's own.
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from prunetune.config.parts import Params
from prunetune.models.family import ScalableFamily, check_widths, classifier
from prunetune.protocols import Shape
from prunetune.registry import models

RESNET_DEPTHS = range(14, 111, 6)
_STAGES = 3


class ResNetParams(Params):
    """Shortcut and widths of a CIFAR ResNet."""

    shortcut: Annotated[
        Literal["A", "B"],
        Field(
            description="A: every second pixel, padded with zero channels; "
            "B: 1x1 convolution and batch norm"
        ),
    ] = "B"
    widths: Annotated[tuple[int, ...], Field(description="channels per stage")] = (16, 32, 64)
    inner: Annotated[
        tuple[int, ...] | None,
        Field(
            description="channels inside each block; 0: the block is only its shortcut; "
            "null: the width of its stage"
        ),
    ] = None


class PaddedShortcut(nn.Module):
    """Option A: every second pixel, with zero channels added, half of them on either side.

    The zeros are concatenated, and their number is fixed at construction, because torch-pruning
    cuts `F.pad` wrongly when it traces channels through the network.
    """

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        if channels_out < channels_in:
            raise ValueError(
                f"widths: a stage of {channels_out} channels follows one of {channels_in}; "
                "shortcut A pads with zeros and cannot narrow, use shortcut B"
            )
        self.before = (channels_out - channels_in) // 2
        self.after = channels_out - channels_in - self.before

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, before + C + after, ceil(H / 2), ceil(W / 2))."""
        x = x[:, :, ::2, ::2]
        n, _, h, w = x.shape
        # zeros in channels-last memory let the concatenation keep the memory format of x
        before, after = (
            x.new_zeros(n, h, w, channels).permute(0, 3, 1, 2)
            for channels in (self.before, self.after)
        )
        return torch.cat((before, x, after), 1)


class CifarBasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut; without inner channels, the shortcut alone."""

    def __init__(
        self, channels_in: int, inner: int, channels_out: int, stride: int, shortcut: str
    ) -> None:
        super().__init__()
        self.inner = inner
        if inner:
            self.conv1 = nn.Conv2d(channels_in, inner, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(inner)
            self.conv2 = nn.Conv2d(inner, channels_out, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(channels_out)
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 and shortcut == "A":
            self.shortcut = PaddedShortcut(channels_in, channels_out)
        elif stride > 1:
            projection = nn.Conv2d(channels_in, channels_out, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(channels_out))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, channels_out, H / stride, W / stride).

        ReLU works in place on the sum only: a hook never sees the sum, so none sees it change.
        """
        if not self.inner:
            return F.relu(self.shortcut(x))
        out = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(out)) + self.shortcut(x), inplace=True)


def _stage(
    channels_in: int, inner: tuple[int, ...], channels_out: int, stride: int, shortcut: str
) -> nn.Sequential:
    """One block per inner width; the first block has the stride."""
    first = CifarBasicBlock(channels_in, inner[0], channels_out, stride, shortcut)
    rest = (CifarBasicBlock(channels_out, width, channels_out, 1, shortcut) for width in inner[1:])
    return nn.Sequential(first, *rest)


class CifarResNet(nn.Module):
    """A 3x3 stem, three stages of basic blocks, the mean over pixels, a linear classifier."""

    def __init__(self, params: ResNetParams, inner: tuple[int, ...], classes: int, c: int) -> None:
        super().__init__()
        widths, n = params.widths, len(inner) // _STAGES
        self.conv1 = nn.Conv2d(c, widths[0], 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.layer1 = _stage(widths[0], inner[:n], widths[0], 1, params.shortcut)
        self.layer2 = _stage(widths[0], inner[n : 2 * n], widths[1], 2, params.shortcut)
        self.layer3 = _stage(widths[1], inner[2 * n :], widths[2], 2, params.shortcut)
        self.linear = nn.Linear(widths[2], classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> logits (N, classes)."""
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        logits: Tensor = self.linear(x.mean((2, 3)))
        return logits


class CifarResNetFamily(ScalableFamily):
    """ResNet of depth 6n + 2 for small images, at any widths."""

    def __init__(self, depth: int) -> None:
        self.name = f"a ResNet-{depth} for small images"
        self.depth = depth
        self.blocks = (depth - 2) // 6
        """Blocks per stage."""

    def build(self, params: ResNetParams, classes: int, input_shape: Shape) -> nn.Module:
        """A fresh network; see `Family`."""
        check_widths(params.widths, _STAGES, params.inner, _STAGES * self.blocks, smallest_inner=0)
        return CifarResNet(params, self.inner_widths(params), classes, input_shape[0])

    def initialise(self, model: nn.Module) -> None:
        """Kaiming normal over the fan-in (He et al. 2015), as in the checkpoints' own code."""
        for module in model.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.BatchNorm2d):
                module.reset_parameters()

    def stage_widths(self, params: ResNetParams) -> tuple[int, ...]:
        """The channels of the residual stream in each stage."""
        return params.widths

    def inner_widths(self, params: ResNetParams) -> tuple[int, ...]:
        """The channels between the two convolutions of each block."""
        return params.inner or tuple(w for w in params.widths for _ in range(self.blocks))

    def ignored_layers(self, model: nn.Module) -> list[nn.Module]:
        """The classifier; with shortcut A also the stem and the last convolution of each block.

        Those layers write to the residual stream. Shortcut A fixes at construction which channels
        of the stream are padded with zeros, so no channel of the stream can go.
        """
        fixed: list[nn.Module] = [classifier(model)]
        if any(isinstance(module, PaddedShortcut) for module in model.modules()):
            fixed.append(model.get_submodule("conv1"))
            blocks = [block for block in model.modules() if isinstance(block, CifarBasicBlock)]
            fixed += [block.conv2 for block in blocks if block.inner]
        return fixed


for _depth in RESNET_DEPTHS:  # `resnet50` is the name of the ImageNet network
    _name = "cifar_resnet50" if _depth == 50 else f"resnet{_depth}"
    models.register(_name, params=ResNetParams)(CifarResNetFamily(_depth))
