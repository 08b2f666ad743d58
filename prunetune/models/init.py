"""Initial weights as published: one rule per family of networks, applied layer by layer."""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import nn

InitRule = Callable[[nn.Module], None]
"""Draws the weights of one module, if that is a convolution or a linear layer."""


def redraw(model: nn.Module, rule: InitRule) -> None:
    """Reset every layer to PyTorch's default weights, then apply `rule` to it."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear | nn.BatchNorm2d | nn.LayerNorm):
            module.reset_parameters()
        rule(module)


def kaiming_fan_out(module: nn.Module) -> None:
    """ResNeXt: Kaiming normal over the fan-out for convolutions; linear layers as in PyTorch."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def kaiming_zero_bias(module: nn.Module) -> None:
    """Wide ResNets and DenseNet-BC: `kaiming_fan_out`, and biases are 0."""
    kaiming_fan_out(module)
    zero_bias(module)


def kaiming_small_linear(module: nn.Module) -> None:
    """VGG and MobileNet: `kaiming_zero_bias`, and linear weights have standard deviation 0.01."""
    kaiming_fan_out(module)
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, 0, 0.01)
    zero_bias(module)


def kaiming_fan_in(module: nn.Module) -> None:
    """torchvision's DenseNet: Kaiming normal over the fan-in for convolutions; biases are 0."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight)
    zero_bias(module)


def efficientnet(module: nn.Module) -> None:
    """EfficientNet: `kaiming_zero_bias`, and linear weights are uniform within 1/sqrt(outputs)."""
    kaiming_fan_out(module)
    if isinstance(module, nn.Linear):
        bound = 1 / math.sqrt(module.out_features)
        nn.init.uniform_(module.weight, -bound, bound)
    zero_bias(module)


def mnasnet(module: nn.Module) -> None:
    """MNASNet: `kaiming_zero_bias`; linear weights are uniform over the fan-out, for a sigmoid."""
    kaiming_fan_out(module)
    if isinstance(module, nn.Linear):
        nn.init.kaiming_uniform_(module.weight, mode="fan_out", nonlinearity="sigmoid")
    zero_bias(module)


def truncated_normal(module: nn.Module) -> None:
    """ConvNeXt: a truncated normal distribution of standard deviation 0.02; biases are 0."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
    zero_bias(module)


def zero_bias(module: nn.Module) -> None:
    """Set the bias of a convolution or a linear layer, if it has one, to 0."""
    if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)


def as_torch(module: nn.Module) -> None:
    """AlexNet and ShuffleNet: PyTorch's default weights are the published ones."""
