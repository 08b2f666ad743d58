"""`module`: any network of the user's, by the import path of its class and its arguments."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import nn

from prunetune.models.family import WithoutPublishedWeights, WithoutStages
from prunetune.protocols import Shape
from prunetune.registry import models
from prunetune.user_code.find import ClassError
from prunetune.user_code.params import ClassParams


class ModuleParams(ClassParams):
    """Class and arguments of a network of your own."""


class ModuleFamily(WithoutStages, WithoutPublishedWeights):
    """Your own network: any `torch.nn.Module` whose channels torch-pruning can trace.

    Its class gets the arguments of the sweep file and nothing else, so these must say how many
    classes and image channels there are. A thin network is the dense one with all groups of coupled
    channels scaled by one factor. Initial weights are drawn by the class itself, at any widths.
    """

    name = "a module of your own"
    scales_groups: ClassVar[bool] = True
    draws_in_constructor: ClassVar[bool] = True

    def build(self, params: ModuleParams, classes: int, input_shape: Shape) -> nn.Module:
        """A fresh network; see `Family`.

        Raises:
            ClassError: the class cannot be imported or called, or makes no module.
        """
        if torch.get_default_device().type != "meta":
            return _made(params)
        try:
            model = _made(params)
        except ClassError:  # it reads numbers while it is built, and tensors on meta have none
            model = None
        if model is None or _has_loose_tensors(model):
            with torch.random.fork_rng(devices=[]), torch.device("cpu"):
                model = _made(params).to("meta")
        return model

    def initialise(self, model: nn.Module) -> None:
        """PyTorch's default weights in all layers, where the arguments of the class are unknown."""
        for module in model.modules():
            if callable(reset := getattr(module, "reset_parameters", None)):
                reset()


def _made(params: ModuleParams) -> nn.Module:
    model = params.made()
    if not isinstance(model, nn.Module):
        raise ClassError(f"{params.class_} makes no torch.nn.Module, but {type(model).__name__}")
    if not any(True for _ in model.parameters()):
        raise ClassError(f"{params.class_} makes a network without parameters")
    return model


def _has_loose_tensors(model: nn.Module) -> bool:
    """Whether a module has tensors on meta that are neither parameters nor buffers.

    Copies with data would keep them without data.
    """
    return any(
        isinstance(value, torch.Tensor) and value.is_meta
        for module in model.modules()
        for value in vars(module).values()
    )


models.register("module", params=ModuleParams)(ModuleFamily())
