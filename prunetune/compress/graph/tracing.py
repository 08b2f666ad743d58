"""Copies of a network that have shapes but no data, and forward passes that compute shapes only."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.overrides import TorchFunctionMode

from prunetune.protocols import Shape


def without_data(model: nn.Module) -> nn.Module:
    """A copy on the CPU in eval mode; its floating tensors are uninitialised memory.

    Integer and boolean buffers keep their values, because they may say which channels go where. On
    PyTorch's device "meta" they have none, so there the copy has zeros.
    """
    return with_tensors(model, _empty, lambda b: _empty(b) if _is_floating(b) else values_of(b))


def with_tensors(
    model: nn.Module,
    parameter: Callable[[torch.Tensor], torch.Tensor],
    buffer: Callable[[torch.Tensor], torch.Tensor],
) -> nn.Module:
    """A copy in eval mode whose parameters and buffers are made from those of `model`."""
    # The memo makes deepcopy take the new tensors instead of copying the data.
    memo: dict[int, Any] = {id(p): nn.Parameter(parameter(p)) for p in model.parameters()}
    memo |= {id(b): buffer(b) for b in model.buffers()}
    for module in model.modules():
        for value in vars(module).values():
            if type(value) in _CONTAINERS and not value:
                memo.setdefault(id(value), type(value)())  # deepcopy takes far longer over these
            elif isinstance(value, torch.Tensor) and value.grad_fn is not None:
                # such as a weight that a hook computes: deepcopy copies leaves only
                memo.setdefault(id(value), value.detach().clone())
    return copy.deepcopy(model, memo).eval()


_CONTAINERS = {OrderedDict, dict, set, list}
"""Types of which a module has a dozen empty ones, most of them for hooks."""


def _empty(tensor: torch.Tensor) -> torch.Tensor:
    return torch.empty(tensor.shape, dtype=tensor.dtype, device="cpu")


def _is_floating(tensor: torch.Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex()


def values_of(tensor: torch.Tensor) -> torch.Tensor:
    """A copy on the CPU; zeros for a tensor on PyTorch's device "meta"."""
    if tensor.is_meta:
        return torch.zeros(tensor.shape, dtype=tensor.dtype, device="cpu")
    return tensor.detach().to("cpu", copy=True)


def example_input(twin: nn.Module, input_shape: Shape) -> torch.Tensor:
    """A batch of one image without data."""
    return torch.empty(1, *input_shape, dtype=next(twin.parameters()).dtype, device="cpu")


class ShapesOnly(TorchFunctionMode):
    """Makes layers return a tensor of the right shape without computing it.

    Why not on PyTorch's device "meta": that takes seconds to import. Each layer remains one
    operation of autograd's graph, because torch-pruning recognises layers by their operations.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """See `TorchFunctionMode`."""
        if func in _POINTWISE:
            return args[0].clone()
        if func is F.linear and not kwargs:
            return _Blank.apply(*args[:2], (*args[0].shape[:-1], len(args[1])))
        if func in _CONVOLUTIONS and not kwargs and _is_spelt_out(args):
            return _Blank.apply(*args[:2], _convolved(*args[:2], *args[3:6]))
        return func(*args, **(kwargs or {}))


_POINTWISE = {F.batch_norm, F.layer_norm, F.relu, F.relu6, F.silu, F.hardswish, F.gelu}
_CONVOLUTIONS = {F.conv1d, F.conv2d, F.conv3d}


def _is_spelt_out(args: Any) -> bool:
    """Whether a convolution is called as its module calls it: a batch, and a number per axis."""
    return (
        len(args) == 7
        and args[0].ndim == args[1].ndim
        and all(isinstance(numbers, tuple) for numbers in args[3:6])
    )


class _Blank(torch.autograd.Function):
    """An operation on two tensors whose result has the given shape and uninitialised memory."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, shape: Any) -> torch.Tensor:
        return x.new_empty(shape)


def _convolved(
    x: torch.Tensor, weight: torch.Tensor, strides: Any, paddings: Any, dilations: Any
) -> tuple[int, ...]:
    """The shape of a convolution's output."""
    sizes = zip(x.shape[2:], weight.shape[2:], strides, paddings, dilations, strict=True)
    spatial = ((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in sizes)
    return (len(x), len(weight), *spatial)
