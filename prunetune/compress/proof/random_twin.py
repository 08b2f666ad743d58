"""Copies of a network on which a cut is tried: random weights, live norms, double precision."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from prunetune.compress.graph.tracing import values_of, with_tensors

_POOL = 1_000_003
"""Random numbers that all weights are taken from: drawing new ones takes longer than the proof. The
number is prime, so that no two rows of a weight are equal."""


class RandomNumbers:
    """Uniform numbers in [-1, 1] from a pool, each tensor from another place of it."""

    def __init__(self, seed: int = 0) -> None:
        drawn = np.random.default_rng(seed).random(_POOL, dtype=np.float32)
        self._pool = torch.from_numpy(drawn).double().mul_(2).sub_(1)
        self._start = 0

    def uniform(self, shape: Any, low: float, high: float) -> Tensor:
        """A new tensor of this shape, uniform in [low, high]."""
        made = torch.empty(shape, dtype=torch.float64)
        flat, filled = made.view(-1), 0
        while filled < len(flat):
            size = min(len(flat) - filled, _POOL - self._start)
            part = self._pool[self._start : self._start + size]
            torch.add(
                (high + low) / 2, part, alpha=(high - low) / 2, out=flat[filled : filled + size]
            )
            filled += size
            self._start = (self._start + size) % _POOL
        return made


def random_twin(model: nn.Module, numbers: RandomNumbers) -> nn.Module:
    """A copy of `model` in double precision and eval mode, on the CPU.

    Weights and biases are random, of the size that keeps activations near one. Scales, shifts and
    statistics of norms are random too. Buffers that are not floating keep their values; others keep
    theirs up to a random factor and a shift, where they have any.
    """
    scales = {id(m.weight) for m in model.modules() if _is_norm(m) and m.weight is not None}
    variances = {id(m.running_var) for m in model.modules() if isinstance(m, _BatchNorm)}

    def parameter(old: Tensor) -> Tensor:
        if id(old) in scales:
            return numbers.uniform(old.shape, 0.5, 1.5)
        if old.ndim < 2:
            return numbers.uniform(old.shape, -0.3, 0.7)
        bound = float((6 / max(1, old.numel() // old.shape[0])) ** 0.5)
        return numbers.uniform(old.shape, -bound, bound)

    def buffer(old: Tensor) -> Tensor:
        if not old.is_floating_point():
            return values_of(old)
        if id(old) in variances or old.is_meta:
            return numbers.uniform(old.shape, 0.5, 1.5)
        factor, shift = numbers.uniform(old.shape, 0.5, 1.5), numbers.uniform(old.shape, -0.2, 0.2)
        return old.detach().cpu().double() * factor + shift

    return with_tensors(model, parameter, buffer)


def _is_norm(module: nn.Module) -> bool:
    return isinstance(module, _BatchNorm | nn.LayerNorm | nn.GroupNorm)


@contextmanager
def kept_in_range(twin: nn.Module) -> Iterator[None]:
    """Make each layer fit the size of its input, at its first call within the block.

    Without this, activations double with every residual block. They would drown the little that a
    late layer adds, and saturate the sigmoid of a gate, which would hide a wrong cut there.
    """
    handles: dict[Any, Any] = {}
    handles |= {
        layer: layer.register_forward_pre_hook(lambda layer, x: _fit(layer, x[0], handles))
        for layer in twin.modules()
        if isinstance(layer, _ConvNd | nn.Linear | _BatchNorm)
    }
    try:
        yield
    finally:
        for handle in handles.values():
            handle.remove()


@torch.no_grad()
def _fit(layer: Any, x: Tensor, handles: dict[Any, Any]) -> None:
    handles.pop(layer).remove()
    size = float(x.square().mean().sqrt())
    if not 0 < size < float("inf"):
        return
    if isinstance(layer, _BatchNorm):
        if layer.running_mean is not None and layer.running_var is not None:
            layer.running_mean.mul_(size)
            layer.running_var.mul_(size**2)
    elif not 0.1 < size < 10 and "weight" in layer._parameters:
        layer.weight.mul_(1 / size)
