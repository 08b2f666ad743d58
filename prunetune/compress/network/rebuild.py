"""From a network to its architecture, and back to a network of plain modules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from prunetune.compress.graph.layout import as_stored
from prunetune.compress.network.constructed import constructed
from prunetune.config.parts import Named
from prunetune.protocols import Shape
from prunetune.records.architecture import Architecture
from prunetune.records.record import Record
from prunetune.registry import models

if TYPE_CHECKING:
    import pandas as pd


def architecture_of(
    model: nn.Module, name: str, params: dict[str, Any], classes: int, input_shape: Shape
) -> Architecture:
    """The architecture of `model`, a network of the registered family `name`; it may be cut."""
    return Architecture(
        model=name,
        params=params,
        classes=classes,
        input_shape=input_shape,
        layers=layer_widths(model),
    )


def layer_widths(model: nn.Module) -> dict[str, tuple[int, ...]]:
    """Layer name -> its widths, in the form of `Architecture.layers`."""
    by_layer = {name: _widths(layer) for name, layer in model.named_modules()}
    return {name: widths for name, widths in by_layer.items() if widths}


def rebuild(described: Architecture | Record | Mapping[str, Any] | pd.Series) -> nn.Module:
    """The network of an architecture, with PyTorch's default initial weights.

    The state of the global random generators stays as it is.

    Args:
        described: an architecture, or a record (both also as the dicts that JSON files hold), or a
            row of what `load_records` gives.

    Raises:
        ValueError: nothing in it is an architecture, or the architecture lists other layers than
            its family has.

    Example:
        >>> records = load_records("quickstart")
        >>> key, row = next(records.query("phase == 'confirm'").set_index("key").iterrows())
        >>> model = rebuild(row)
        >>> weights = f"runs/quickstart/trials/{key}/weights.safetensors"
        >>> model.load_state_dict(safetensors.torch.load_file(weights))
    """
    architecture = architecture_in(described)
    with torch.random.fork_rng(devices=[]):
        model = family_network(architecture)
        family_widths = layer_widths(model)
        if architecture.layers and family_widths.keys() != architecture.layers.keys():
            differing = sorted(family_widths.keys() ^ architecture.layers.keys())
            raise ValueError(
                f"{architecture.model} and its table of layers differ in {differing[:5]}"
            )
        resize(model, architecture.layers)
    return model


def architecture_in(described: Any) -> Architecture:
    """The architecture in what `rebuild` takes.

    Raises:
        ValueError: there is none.
    """
    if isinstance(described, Architecture):
        return described
    is_record = not isinstance(described, Mapping) or "architecture" in described
    inner = _architecture_of_record(described) if is_record else described
    if isinstance(inner, Architecture):
        return inner
    if not isinstance(inner, Mapping):  # None, and a table's NaN
        raise ValueError(
            "no architecture in a record: its trial ended before it had a network"
            if is_record
            else f"no architecture: {type(described).__name__}"
        )
    return Architecture.model_validate(inner)


def _architecture_of_record(record: Any) -> Any:
    """The field `architecture` of a record, of its JSON, or of a row of a table."""
    if isinstance(record, Mapping):
        return record["architecture"]
    try:
        return record.architecture
    except AttributeError:
        raise ValueError(f"no architecture in {type(record).__name__} {record!r:.60}") from None


def resize(model: nn.Module, layers: Mapping[str, tuple[int, ...]]) -> None:
    """Give the layers these widths, in place; those whose widths change get new initial weights.

    The new weights are PyTorch's initial ones. Nothing else of a layer changes, whatever its class.
    """
    for name, widths in layers.items():
        layer = model.get_submodule(name)
        if widths != _widths(layer):
            _resize(layer, widths)


def fresh(architecture: Architecture, seed: int) -> nn.Module:
    """The network with its family's initial weights, drawn from `seed` alone.

    A family that draws while it builds does so at the widths of the architecture. Where its code
    insists on its own widths, the layers of other widths have PyTorch's default weights.
    """
    family = models.get(architecture.model).part
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would reseed GPUs as well
        if not getattr(family, "draws_in_constructor", False):
            model = rebuild(architecture)
            family.initialise(model)
            return model
        drawn = constructed(
            lambda: family_network(architecture), architecture.layers, _widths, _resize
        )
        torch.default_generator.manual_seed(seed)
        model = family_network(architecture)
        resize(model, architecture.layers)
    if drawn is not None:  # what its code computed from its widths must be as in a cut network
        model.load_state_dict(drawn.state_dict())
    return model


def family_network(architecture: Architecture) -> nn.Module:
    """The family's network of these parameters; the architecture's table of layers is not used."""
    family, params = family_of(architecture)
    model: nn.Module = family.build(params, architecture.classes, architecture.input_shape)
    return model


def family_of(architecture: Architecture) -> tuple[Any, Any]:
    """The registered family and its checked parameters."""
    return models.checked(Named(name=architecture.model, params=architecture.params))


def with_widths(
    architecture: Architecture, widths: tuple[int, ...], inner: tuple[int, ...] | None
) -> Architecture:
    """The architecture with these stage and inner widths, and without a table of layers.

    If `inner` is None, the family derives the inner widths from the stage widths.

    Raises:
        ValueError: the family cannot have these widths.
    """
    family, params = family_of(architecture)
    changed = family.with_widths(params, widths, inner)
    checked = type(params).model_validate(changed.model_dump())
    non_default = checked.model_dump(mode="json", exclude_defaults=True)
    return architecture.model_copy(update={"params": non_default, "layers": {}})


def _widths(layer: nn.Module) -> tuple[int, ...]:
    if isinstance(layer, _ConvNd):
        return (layer.in_channels, layer.out_channels, layer.groups)
    if isinstance(layer, nn.Linear):
        return (layer.in_features, layer.out_features)
    return (layer.num_features,) if isinstance(layer, _BatchNorm) else ()


def _resize(layer: nn.Module, widths: tuple[int, ...]) -> None:
    shapes: dict[str, tuple[int, ...]] = {}
    if isinstance(layer, _ConvNd):
        inside, outside, groups = widths
        shapes["weight"] = (outside, inside // groups, *layer.kernel_size)
        layer.in_channels, layer.out_channels, layer.groups = widths
    elif isinstance(layer, nn.Linear):
        inside, outside = widths
        shapes["weight"] = (outside, inside)
        layer.in_features, layer.out_features = widths
    else:
        assert isinstance(layer, _BatchNorm)
        (outside,) = (layer.num_features,) = widths
    for name, parameter in layer._parameters.items():
        if parameter is not None:
            shape = shapes.get(name, (outside, *parameter.shape[1:]))
            empty = parameter.detach().new_empty(shape)
            layer._parameters[name] = nn.Parameter(
                as_stored(layer, empty) if name in shapes else empty, parameter.requires_grad
            )
    for name, buffer in layer._buffers.items():
        if buffer is not None and buffer.ndim:
            layer._buffers[name] = buffer.new_empty(outside, *buffer.shape[1:])
    layer.reset_parameters()
