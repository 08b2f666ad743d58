"""Gradients of convolutions whose stride is larger than their map."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from prunetune.train.device import autocast, prepare
from prunetune.train.small_maps import GuardedConv2d
from tests.train.conftest import CPU


def gradient(conv: nn.Module, x: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    with autocast(CPU, dtype):
        conv(x).float().square().sum().backward()
    (weight,) = conv.parameters()
    assert weight.grad is not None
    return weight.grad.double()


@pytest.mark.parametrize("side", [1, 2, 3, 4])
@pytest.mark.parametrize("stride", [1, 2, 4])
@pytest.mark.parametrize("kernel", [3, 5])
def test_gradients_in_bfloat16_are_those_of_float64(side: int, stride: int, kernel: int) -> None:
    generator = torch.Generator().manual_seed(0)
    plain = nn.Conv2d(16, 16, kernel, stride, kernel // 2, bias=False)
    with torch.no_grad():
        plain.weight.normal_(generator=generator)
    x = torch.randn(8, 16, side, side, generator=generator)
    exact = gradient(copy.deepcopy(plain).double(), x.double(), torch.float32)
    for _ in range(3):  # memory that is not initialised may happen to be zero
        conv = prepare(copy.deepcopy(plain), CPU)
        found = gradient(conv, x.to(memory_format=torch.channels_last), torch.bfloat16)
        assert (found - exact).abs().max() <= 0.03 * exact.abs().max()


def test_only_strided_kernels_are_guarded_and_larger_maps_keep_their_bits() -> None:
    plain = nn.Conv2d(4, 6, 3, 2, 1)
    guarded = prepare(copy.deepcopy(plain), CPU)
    assert type(guarded) is GuardedConv2d
    assert guarded.state_dict().keys() == plain.state_dict().keys()
    x = torch.randn(2, 4, 5, 5).to(memory_format=torch.channels_last)
    for dtype in (torch.float32, torch.bfloat16):
        with autocast(CPU, dtype):
            assert torch.equal(guarded(x), plain.to(memory_format=torch.channels_last)(x))  # type: ignore[call-overload]
    for other in (nn.Conv2d(4, 6, 3), nn.Conv2d(4, 6, 1, 2)):
        assert type(prepare(other, CPU)) is nn.Conv2d
