"""Finds the batch norms that cannot normalise one image by itself."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from prunetune.compress.graph.tracing import ShapesOnly, example_input, without_data
from prunetune.protocols import Shape


def norms_of_single_values(model: nn.Module, input_shape: Shape) -> list[str]:
    """The batch norms that see a single value per channel of an image, in the forward order.

    In training such a norm needs two images: one value has no variance, and torch raises. A norm
    that the network keeps in evaluation mode is none of them. `model` stays as it is.
    """
    twin = without_data(model).train()
    norms = {
        name: module
        for name, module in twin.named_modules()
        if isinstance(module, _BatchNorm) and module.training
    }
    single: list[str] = []

    def hook_of(name: str) -> Any:
        def hook(layer: nn.Module, inputs: Any) -> None:
            if inputs[0].numel() == inputs[0].shape[1] and name not in single:
                single.append(name)

        return hook

    for name, norm in norms.items():
        norm.register_forward_pre_hook(hook_of(name))
    twin.eval()
    with torch.no_grad(), ShapesOnly():
        twin(example_input(twin, input_shape))
    return single
