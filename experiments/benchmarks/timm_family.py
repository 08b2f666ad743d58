"""A plug-in module that makes timm's networks a family, as a user would write it.

It registers `timm`; a sweep that names this module under `plugins` says
`workload: {model: {timm: {network: resnet50}}}`.
"""

from __future__ import annotations

from typing import Annotated

import timm
from pydantic import Field
from torch import nn

from prunetune.models.family import FixedFamily
from prunetune.plugin import Params, Shape, models


class TimmParams(Params):
    """Which of timm's networks."""

    network: Annotated[str, Field(description="a name that timm.list_models() has")]


class TimmFamily(FixedFamily):
    """A network of timm's, unchanged."""

    name = "timm"

    def build(self, params: TimmParams, classes: int, input_shape: Shape) -> nn.Module:
        """A fresh network; transformers are told the size of the images."""
        sized = {"img_size": input_shape[1:]} if "vit" in params.network else {}
        model: nn.Module = timm.create_model(
            params.network, num_classes=classes, in_chans=input_shape[0], **sized
        )
        return model

    def initialise(self, model: nn.Module) -> None:
        """PyTorch's default weights; parameters outside layers are small and random."""
        for module in model.modules():
            if isinstance(module, nn.Conv2d | nn.Linear | nn.BatchNorm2d | nn.LayerNorm):
                module.reset_parameters()
            else:
                for parameter in module.parameters(recurse=False):
                    nn.init.normal_(parameter, std=0.02)

    def ignored_layers(self, model: nn.Module) -> list[nn.Module]:
        """The classifier, as timm names it."""
        classifier: nn.Module = model.get_classifier()  # type: ignore[operator]
        return [classifier]


models.register("timm", params=TimmParams)(TimmFamily())
