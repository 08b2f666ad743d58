"""From a network to its architecture and back, as plain modules."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from prunetune.config.parts import Named
from prunetune.protocols import Shape
from prunetune.records.architecture import Architecture
from prunetune.registry import models


def architecture_of(
    model: nn.Module, name: str, params: dict[str, Any], classes: int, input_shape: Shape
) -> Architecture:
    """The architecture of `model`, a network of the registered family `name`, cut or not."""
    return Architecture(
        model=name,
        params=params,
        classes=classes,
        input_shape=input_shape,
        layers=layer_widths(model),
    )


def layer_widths(model: nn.Module) -> dict[str, tuple[int, ...]]:
    """The widths of every layer, as `Architecture.layers` has them."""
    widths = {name: _widths(layer) for name, layer in model.named_modules()}
    return {name: width for name, width in widths.items() if width}


def rebuild(architecture: Architecture) -> nn.Module:
    """The network of an architecture, with PyTorch's default initial weights.

    The global random generators do not move.

    Raises:
        ValueError: the layers that the architecture states are not those of its family.

    Example:
        >>> record = json.loads(Path(f"runs/quickstart/records/{key}.json").read_text())
        >>> model = rebuild(Architecture.model_validate(record["architecture"]))
        >>> weights = f"runs/quickstart/trials/{key}/weights.safetensors"
        >>> model.load_state_dict(safetensors.torch.load_file(weights))
    """
    with torch.random.fork_rng(devices=[]):
        model = family_network(architecture)
        have = layer_widths(model)
        if architecture.layers and have.keys() != architecture.layers.keys():
            odd = sorted(have.keys() ^ architecture.layers.keys())
            raise ValueError(f"{architecture.model} and its table of layers differ in {odd[:5]}")
        for name, widths in architecture.layers.items():
            if widths != have[name]:
                model.set_submodule(name, _resized(model.get_submodule(name), widths))
    return model


def fresh(architecture: Architecture, seed: int) -> nn.Module:
    """The network with its family's initial weights, drawn from `seed` alone."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would reseed GPUs as well
        model = rebuild(architecture)
        models.get(architecture.model).part.initialise(model)
    return model


def family_network(architecture: Architecture) -> nn.Module:
    """The family's network as its parameters describe it, before layers get their own widths."""
    family, params = family_of(architecture)
    model: nn.Module = family.build(params, architecture.classes, architecture.input_shape)
    return model


def family_of(architecture: Architecture) -> tuple[Any, Any]:
    """The registered family and its parameters, checked."""
    return models.checked(Named(name=architecture.model, params=architecture.params))


def with_widths(
    architecture: Architecture, widths: tuple[int, ...], inner: tuple[int, ...] | None
) -> Architecture:
    """The family's network of these stage and inner widths, its layers not yet listed.

    `inner` None: what the stages' widths say. ValueError where the family has no such widths.
    """
    family, params = family_of(architecture)
    changed = family.with_widths(params, widths, inner)
    checked = type(params).model_validate(changed.model_dump())
    stated = checked.model_dump(mode="json", exclude_defaults=True)
    return architecture.model_copy(update={"params": stated, "layers": {}})


def _widths(layer: nn.Module) -> tuple[int, ...]:
    if isinstance(layer, _ConvNd):
        return (layer.in_channels, layer.out_channels, layer.groups)
    if isinstance(layer, nn.Linear):
        return (layer.in_features, layer.out_features)
    return (layer.num_features,) if isinstance(layer, _BatchNorm) else ()


def _resized(layer: nn.Module, widths: tuple[int, ...]) -> nn.Module:
    """A new layer like `layer` but for its widths."""
    tensor = next(layer.parameters(), None)
    how: dict[str, Any] = {}
    alike: tuple[str, ...] = ()
    if tensor is not None:
        how = {"device": tensor.device, "dtype": tensor.dtype}
    if isinstance(layer, _ConvNd):
        alike = ("kernel_size", "stride", "padding", "dilation", "padding_mode")
        how |= dict(zip(("in_channels", "out_channels", "groups"), widths, strict=True))
    elif isinstance(layer, nn.Linear):
        how |= dict(zip(("in_features", "out_features"), widths, strict=True))
    else:
        alike = ("eps", "momentum", "affine", "track_running_stats")
        how |= {"num_features": widths[0]}
    if not isinstance(layer, _BatchNorm):
        how["bias"] = layer.bias is not None
    how |= {name: getattr(layer, name) for name in alike}
    return type(layer)(**how).train(layer.training)
