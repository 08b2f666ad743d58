"""VGG with batch norm for small images, as the pruning literature has it.

13 or 16 convolutions as in Simonyan & Zisserman (2014, 1409.1556), each with batch norm, pooling
after the first four stages, the mean over what pixels are left and one linear layer: the network of
network slimming (Liu et al. 2017, 1708.06519) and of Liu et al. (2018, 1810.05270), by the names of
its modules in their code. torch-pruning's benchmark has another under this name, which pools three
times only and takes 511 million MACs where this one takes 398. torchvision's `vgg19_bn` is the
ImageNet network.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor, nn

from prunetune.config.parts import Params
from prunetune.models.family import OfWidths, check_widths, per_block
from prunetune.models.init import kaiming_small_linear, redraw
from prunetune.protocols import Shape
from prunetune.registry import models

STAGES = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
"""Convolutions per stage, by depth."""
SMALLEST = 16
"""Pixels on a side that four poolings leave one of."""


class VGGParams(Params):
    """Widths of a VGG."""

    widths: Annotated[
        tuple[int, ...], Field(description="channels per stage: of its last convolution")
    ] = (64, 128, 256, 512, 512)
    inner: Annotated[
        tuple[int, ...] | None,
        Field(description="channels of each stage's other convolutions; null: the stage's"),
    ] = None


class CifarVGG(nn.Module):
    """Stages of 3x3 convolutions with batch norm, pooling between them, a linear classifier."""

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


class CifarVGGFamily(OfWidths):
    """VGG with batch norm and one linear layer for small images, at any widths."""

    def __init__(self, name: str, stages: tuple[int, ...]) -> None:
        self.name, self.stages = name, stages
        self.others = tuple(n - 1 for n in stages)
        """Convolutions of each stage but its last."""

    def build(self, params: VGGParams, classes: int, input_shape: Shape) -> nn.Module:
        """A fresh network; see `Family`."""
        if min(input_shape[1:]) < SMALLEST:
            raise ValueError(
                f"{self.name} takes images of {SMALLEST} pixels a side and more, "
                f"not {input_shape[1]} x {input_shape[2]}"
            )
        check_widths(params.widths, len(self.stages), params.inner, sum(self.others))
        inner = iter(self.inner_widths(params))
        stages = [
            (*(next(inner) for _ in range(n)), width)
            for n, width in zip(self.others, params.widths, strict=True)
        ]
        return CifarVGG(stages, classes, input_shape[0])

    def initialise(self, model: nn.Module) -> None:
        """As torchvision's VGG; network slimming's own starts batch norm's scales at one half."""
        redraw(model, kaiming_small_linear)

    def stage_widths(self, params: VGGParams) -> tuple[int, ...]:
        """Channels that each stage puts out."""
        return params.widths

    def inner_widths(self, params: VGGParams) -> tuple[int, ...]:
        """Channels of the convolutions that another one of their stage follows."""
        return params.inner or per_block(params.widths, self.others)


for _depth, _stages in STAGES.items():
    _name = f"cifar_vgg{_depth}_bn"
    models.register(_name, params=VGGParams)(CifarVGGFamily(_name, _stages))
