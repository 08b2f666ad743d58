"""A network of three convolutions without shortcuts, at any widths."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor, nn

from prunetune.plugin import BaseFamily, Params, Shape, check_widths, models

STAGES = 3


class PlainNetParams(Params):
    """Parameters of `plain_net`."""

    widths: Annotated[tuple[int, ...], Field(description="channels per stage")] = (8, 16, 32)


class PlainNet(nn.Module):
    """Three strided convolutions with batch norm, the mean over pixels, a linear classifier."""

    def __init__(self, widths: tuple[int, ...], classes: int, channels: int) -> None:
        super().__init__()
        stages: list[nn.Module] = []
        for c_in, c_out in zip((channels, *widths), widths, strict=False):
            stages += [nn.Conv2d(c_in, c_out, 3, 2, 1, bias=False), nn.BatchNorm2d(c_out)]
            stages += [nn.ReLU()]
        self.features = nn.Sequential(*stages)
        self.classifier = nn.Linear(widths[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> logits (N, classes)."""
        logits: Tensor = self.classifier(self.features(x).mean((2, 3)))
        return logits


class PlainNetFamily(BaseFamily):
    """Three convolutions, without shortcuts."""

    name = "plain_net"

    def build(self, params: PlainNetParams, classes: int, input_shape: Shape) -> nn.Module:
        """A fresh network; see `Family`."""
        check_widths(params.widths, STAGES, None, 0)
        return PlainNet(params.widths, classes, input_shape[0])

    def initialise(self, model: nn.Module) -> None:
        """PyTorch's default weights."""
        for module in model.modules():
            if isinstance(module, nn.Conv2d | nn.Linear | nn.BatchNorm2d):
                module.reset_parameters()

    def stage_widths(self, params: PlainNetParams) -> tuple[int, ...]:
        """The channels of each stage: `width_scaling` reads and changes them."""
        return params.widths

    def inner_widths(self, params: PlainNetParams) -> tuple[int, ...]:
        """Empty: the network has no blocks."""
        return ()

    def with_widths(
        self, params: PlainNetParams, widths: tuple[int, ...], inner: tuple[int, ...] | None = None
    ) -> PlainNetParams:
        """The same network at other widths."""
        return params.model_copy(update={"widths": widths})


models.register("plain_net", params=PlainNetParams)(PlainNetFamily())
