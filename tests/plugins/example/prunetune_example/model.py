"""A plain network of three convolutions, at any widths."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from prunetune.config.parts import Params
from prunetune.models.family import check_widths, classifier
from prunetune.models.pretrained import WeightsFileError
from prunetune.protocols import Shape
from prunetune.registry import models

STAGES = 3


class PlainNetParams(Params):
    """Parameters of `plain_net`."""

    widths: Annotated[tuple[int, ...], Field(description="channels per stage")] = (8, 16, 32)


class PlainNet(nn.Module):
    """Three strided convolutions with batch norm, mean over pixels, a linear classifier."""

    def __init__(self, widths: tuple[int, ...], classes: int, channels: int) -> None:
        super().__init__()
        stages: list[nn.Module] = []
        for inside, outside in zip((channels, *widths), widths, strict=False):
            stages += [nn.Conv2d(inside, outside, 3, 2, 1, bias=False), nn.BatchNorm2d(outside)]
            stages += [nn.ReLU()]
        self.features = nn.Sequential(*stages)
        self.classifier = nn.Linear(widths[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> logits (N, classes)."""
        logits: Tensor = self.classifier(self.features(x).mean((2, 3)))
        return logits


class PlainNetFamily:
    """Three convolutions, without shortcuts."""

    def build(self, params: PlainNetParams, classes: int, input_shape: Shape) -> nn.Module:
        """A fresh network; see `Family`."""
        check_widths(params.widths, STAGES, None, 0)
        return PlainNet(params.widths, classes, input_shape[0])

    def initialise(self, model: nn.Module) -> None:
        """PyTorch's own init."""
        for module in model.modules():
            if isinstance(module, nn.Conv2d | nn.Linear | nn.BatchNorm2d):
                module.reset_parameters()

    def stage_widths(self, params: PlainNetParams) -> tuple[int, ...]:
        """So `width_scaling` can make it thin."""
        return params.widths

    def inner_widths(self, params: PlainNetParams) -> tuple[int, ...]:
        """It has no blocks."""
        return ()

    def with_widths(
        self, params: PlainNetParams, widths: tuple[int, ...], inner: tuple[int, ...] | None = None
    ) -> PlainNetParams:
        """The same network at other widths."""
        return params.model_copy(update={"widths": widths})

    def ignored_layers(self, model: nn.Module) -> list[nn.Module]:
        """The classifier."""
        return [classifier(model)]

    def published(self, weights: str, *, download: bool = True) -> dict[str, torch.Tensor]:
        """Nobody has published any."""
        raise WeightsFileError(f"{weights}: there are no published weights of plain_net")


models.register("plain_net", params=PlainNetParams)(PlainNetFamily())
