"""Where the output and the input channels of a layer lie in its weight.

A linear layer has a weight (outputs, inputs), and a convolution one (outputs, inputs / groups, …).
A transposed convolution has them the other way round: (inputs, outputs / groups, …). Norms have one
number per channel, as biases have. What reads, cuts or masks a weight asks here.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

Side = Literal["out", "in"]


def convolution_groups(layer: nn.Module) -> int:
    """The number of groups of a convolution; 1 for any other layer."""
    return layer.groups if isinstance(layer, _ConvNd) else 1


def by_group(layer: nn.Module, weight: Tensor) -> Tensor:
    """A view (convolution groups, outputs of a group, inputs of a group, …) of a layer's weight.

    `weight` may also be another tensor of the weight's shape, such as its gradient.
    """
    groups = convolution_groups(layer)
    view = weight.view(groups, len(weight) // groups, *weight.shape[1:])
    return view.transpose(1, 2) if is_transposed(layer) else view


def by_output(layer: nn.Module, weight: Tensor) -> Tensor:
    """(outputs, inputs of a convolution group, …): the weight as a plain convolution has it."""
    return by_group(layer, weight).flatten(0, 1) if is_transposed(layer) else weight


def as_stored(layer: nn.Module, weight: Tensor) -> Tensor:
    """The inverse of `by_output`, for as many convolution groups as the layer has now."""
    if not is_transposed(layer):
        return weight
    groups = convolution_groups(layer)
    blocks = weight.reshape(groups, len(weight) // groups, *weight.shape[1:])
    return blocks.transpose(1, 2).flatten(0, 1).contiguous()


def channel_sums(layer: nn.Module, values: Tensor, side: Side) -> Tensor:
    """(channels,) the sums of a weight's values over the entries that write or read a channel."""
    if values.dim() == 1:
        return values
    if side == "out":
        return by_output(layer, values).flatten(1).sum(1)
    blocks = by_group(layer, values)
    return blocks.reshape(*blocks.shape[:3], -1).sum((1, 3)).flatten()


def set_entries(
    layer: nn.Module, tensor: Tensor, side: Side, channels: Tensor, value: float
) -> None:
    """Set, in place, the entries of a parameter that write or read these channels.

    Biases and norms write channels and read none.
    """
    if tensor.dim() == 1:
        if side == "out":
            tensor[channels] = value
        return
    blocks = by_group(layer, tensor)
    if side == "out":
        width = blocks.shape[1]
        blocks[channels // width, channels % width] = value
    else:
        width = blocks.shape[2]
        blocks[channels // width, :, channels % width] = value


def is_transposed(layer: nn.Module) -> bool:
    """Whether the layer is a transposed convolution."""
    return isinstance(layer, _ConvNd) and layer.transposed
