"""The layers that compute the logits of a network, and whether there is one logit per class."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from prunetune.compress.graph.tracing import ShapesOnly, example_input, without_data
from prunetune.protocols import Shape
from prunetune.records.architecture import Architecture
from prunetune.registry import models


def kept_whole(model: nn.Module, architecture: Architecture) -> list[nn.Module]:
    """The layers that keep all output channels: those that the family names.

    Of a family that names none, they are the layers that compute the logits.
    """
    family = models.get(architecture.model).part
    if hasattr(family, "ignored_layers"):
        ignored: list[nn.Module] = family.ignored_layers(model)
        return ignored
    return output_layers(model, architecture.input_shape)


def output_layers(model: nn.Module, input_shape: Shape) -> list[nn.Module]:
    """The convolution and linear layers from which values reach the logits through no other one."""
    twin = without_data(model)
    outputs: dict[Any, str] = {}
    for name, layer in twin.named_modules():
        if isinstance(layer, _ConvNd | nn.Linear):
            layer.register_forward_hook(partial(_note, outputs, name))
    with torch.enable_grad(), ShapesOnly():
        logits = twin(example_input(twin, input_shape))
    found: dict[str, None] = {}
    seen: set[Any] = set()
    to_visit = [logits.grad_fn]
    while to_visit:
        node = to_visit.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if node in outputs:
            found[outputs[node]] = None
        else:
            to_visit += [source for source, _ in node.next_functions]
    return [model.get_submodule(name) for name in found]


def _note(outputs: dict[Any, str], name: str, layer: nn.Module, x: Any, out: Tensor) -> None:
    outputs[out.grad_fn] = name


def check_logits(model: nn.Module, classes: int, input_shape: Shape) -> None:
    """Refuse a network that does not answer with one logit per class.

    Raises:
        ValueError: it does not run on these images, or answers with something else.
    """
    twin = without_data(model)
    for name, layer in twin.named_modules():
        if isinstance(layer, _ConvNd | nn.Linear):
            layer.register_forward_pre_hook(partial(_check_width, name))
    try:
        with torch.no_grad(), ShapesOnly():
            logits = twin(example_input(twin, input_shape))
    except Exception as error:  # a user's network may raise anything
        shape, why = "x".join(map(str, input_shape)), " ".join(str(error).split())
        raise ValueError(
            f"does not run on an image of {shape} (channels x height x width): "
            f"{type(error).__name__}: {why}"
        ) from error
    answer = f"one image gives {_described(logits)}"
    if not isinstance(logits, Tensor) or tuple(logits.shape) != (1, classes):
        raise ValueError(f"{answer}, and must give one logit per class: a tensor (1, {classes})")
    if not logits.is_floating_point():
        raise ValueError(f"{answer} of {logits.dtype}, and must give floating point logits")


def _check_width(name: str, layer: nn.Module, inputs: Any) -> None:
    """Raise ValueError if the layer gets another number of channels; `ShapesOnly` does not mind."""
    if isinstance(layer, _ConvNd):
        given, taken = inputs[0].shape[-1 - len(layer.kernel_size)], layer.in_channels
    else:
        assert isinstance(layer, nn.Linear)
        given, taken = inputs[0].shape[-1], layer.in_features
    if given != taken:
        raise ValueError(f"{name} takes {taken} channels and gets {given}")


def _described(answer: Any) -> str:
    return (
        f"a tensor {tuple(answer.shape)}" if isinstance(answer, Tensor) else type(answer).__name__
    )
