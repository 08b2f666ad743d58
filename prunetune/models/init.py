"""Published initial weights, layer by layer."""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import nn

InitRule = Callable[[nn.Module], None]
"""Applied to every convolution and linear layer."""


def redraw(model: nn.Module, rule: InitRule) -> None:
    """torch's own init of every layer with weights, then `rule` on top of it."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear | nn.BatchNorm2d | nn.LayerNorm):
            module.reset_parameters()
        rule(module)


def kaiming_fan_out(module: nn.Module) -> None:
    """Of ResNeXt: convolutions by fan-out, linear layers as torch does."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def kaiming_zero_bias(module: nn.Module) -> None:
    """Of wide ResNets and DenseNet-BC: convolutions by fan-out, linear layers with bias 0."""
    kaiming_fan_out(module)
    zero_bias(module)


def kaiming_small_linear(module: nn.Module) -> None:
    """Of VGG and MobileNet: convolutions by fan-out, linear layers with deviation 0.01."""
    kaiming_fan_out(module)
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, 0, 0.01)
    zero_bias(module)


def kaiming_fan_in(module: nn.Module) -> None:
    """Of torchvision's DenseNet: convolutions by fan-in, linear layers with bias 0."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight)
    zero_bias(module)


def efficientnet(module: nn.Module) -> None:
    """Convolutions by fan-out, linear layers uniform over the number of their outputs."""
    kaiming_fan_out(module)
    if isinstance(module, nn.Linear):
        bound = 1 / math.sqrt(module.out_features)
        nn.init.uniform_(module.weight, -bound, bound)
    zero_bias(module)


def mnasnet(module: nn.Module) -> None:
    """Convolutions by fan-out, linear layers uniform by fan-out for a sigmoid."""
    kaiming_fan_out(module)
    if isinstance(module, nn.Linear):
        nn.init.kaiming_uniform_(module.weight, mode="fan_out", nonlinearity="sigmoid")
    zero_bias(module)


def truncated_normal(module: nn.Module) -> None:
    """Of ConvNeXt: truncated normal of deviation 0.02."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
    zero_bias(module)


def zero_bias(module: nn.Module) -> None:
    """Bias 0 for convolutions and linear layers that have one."""
    if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)


def as_torch(module: nn.Module) -> None:
    """Of AlexNet and ShuffleNet: torch's own init is the published one."""
