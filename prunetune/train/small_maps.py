"""Right gradients on CPUs for convolutions whose stride is larger than the map they read.

In bfloat16, oneDNN leaves the gradient of some of their kernel elements as uninitialised memory:
those that touch only padding (seen with torch 2.15, strides above 1 and maps smaller than the
stride). The loss stays finite and the weights do not. Such maps are tiny, so float32 costs nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def guard_strided_convolutions(model: nn.Module) -> nn.Module:
    """The same model; every plain strided `nn.Conv2d` in it now computes tiny maps in float32."""
    for module in model.modules():
        if type(module) is nn.Conv2d and max(module.stride) > 1 and max(module.kernel_size) > 1:
            module.__class__ = GuardedConv2d
    return model


class GuardedConv2d(nn.Conv2d):
    """`nn.Conv2d`, in float32 where a map is smaller than the stride."""

    def forward(self, x: Tensor) -> Tensor:
        """The convolution of (N, C, H, W)."""
        height, width = x.shape[-2:]
        if height >= self.stride[0] and width >= self.stride[1]:
            return super().forward(x)
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.to(self.weight.dtype))
