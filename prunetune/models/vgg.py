"""VGG with batch norm for small images, as used in papers on pruning.

The convolutions of Simonyan & Zisserman (2014, 1409.1556), each with batch norm; max pooling after
each of the first four stages, then the mean over the remaining pixels and one linear layer. It is
the network of network slimming (Liu et al. 2017, 1708.06519) and of Liu et al. (2018, 1810.05270),
with the module names of their code. torch-pruning's benchmark uses another network under this name:
it pools only three times and has 511 million MACs instead of 398 million (19 layers). For ImageNet
see torchvision's `vgg19_bn`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor, nn

from prunetune.config.parts import Params
from prunetune.models.family import ScalableFamily, check_widths, per_block
from prunetune.models.init import kaiming_small_linear, redraw
from prunetune.protocols import Shape
from prunetune.registry import models

_CONVOLUTIONS = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
"""Depth -> convolutions per stage."""
_SMALLEST_SIDE = 16
"""Pixels: four poolings halve this side to 1."""


class VGGParams(Params):
    """Widths of a VGG."""

    widths: Annotated[
        tuple[int, ...], Field(description="channels of each stage's last convolution")
    ] = (64, 128, 256, 512, 512)
    inner: Annotated[
        tuple[int, ...] | None,
        Field(
            description="channels of each stage's other convolutions; null: the width of their "
            "stage"
        ),
    ] = None


class CifarVGG(nn.Module):
    """Stages of 3x3 convolutions with batch norm, max pooling between them, a linear classifier."""

    def __init__(self, stages: list[tuple[int, ...]], classes: int, c: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for i, widths in enumerate(stages):
            layers += [nn.MaxPool2d(2)] if i else []
            for width in widths:
                conv = nn.Conv2d(c, width, 3, 1, 1, bias=False)
                layers += [conv, nn.BatchNorm2d(width), nn.ReLU()]
                c = width
        self.feature = nn.Sequential(*layers)
        self.classifier = nn.Linear(c, classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> logits (N, classes)."""
        logits: Tensor = self.classifier(self.feature(x).mean((2, 3)))
        return logits


class CifarVGGFamily(ScalableFamily):
    """VGG with batch norm and one linear layer for small images, at any widths."""

    def __init__(self, name: str, stages: tuple[int, ...]) -> None:
        self.name = name
        self.inner_convolutions = tuple(n - 1 for n in stages)
        """Convolutions before the last one, in each stage."""

    def build(self, params: VGGParams, classes: int, input_shape: Shape) -> nn.Module:
        """A fresh network; see `Family`."""
        if min(input_shape[1:]) < _SMALLEST_SIDE:
            raise ValueError(
                f"{self.name} takes images of {_SMALLEST_SIDE} pixels a side and more, "
                f"not {input_shape[1]} x {input_shape[2]}"
            )
        counts = self.inner_convolutions
        check_widths(params.widths, len(counts), params.inner, sum(counts))
        inner = iter(self.inner_widths(params))
        stages = [
            (*(next(inner) for _ in range(n)), width)
            for n, width in zip(counts, params.widths, strict=True)
        ]
        return CifarVGG(stages, classes, input_shape[0])

    def initialise(self, model: nn.Module) -> None:
        """As in torchvision's VGG. Network slimming starts the scales of batch norms at 0.5."""
        redraw(model, kaiming_small_linear)

    def stage_widths(self, params: VGGParams) -> tuple[int, ...]:
        """The output channels of each stage."""
        return params.widths

    def inner_widths(self, params: VGGParams) -> tuple[int, ...]:
        """The output channels of the convolutions that are not the last one of their stage."""
        return params.inner or per_block(params.widths, self.inner_convolutions)


for _depth, _stages in _CONVOLUTIONS.items():
    _name = f"cifar_vgg{_depth}_bn"
    models.register(_name, params=VGGParams)(CifarVGGFamily(_name, _stages))
