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
    statistics of norms are random too: `kept_in_range` makes them fit the activations. Buffers that
    are not floating keep their values; others keep theirs up to a random factor and a shift, where
    they have any.
    """
    scales = {id(m.weight) for m in model.modules() if _is_norm(m) and m.weight is not None}
    norms = [m for m in model.modules() if isinstance(m, _BatchNorm)]
    means, variances = ({id(getattr(m, name)) for m in norms} for name in _STATISTICS)

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
        if id(old) in means:
            return numbers.uniform(old.shape, -0.3, 0.3)
        if id(old) in variances or old.is_meta:
            return numbers.uniform(old.shape, 0.5, 1.5)
        factor, shift = numbers.uniform(old.shape, 0.5, 1.5), numbers.uniform(old.shape, -0.2, 0.2)
        return old.detach().cpu().double() * factor + shift

    return with_tensors(model, parameter, buffer)


_MANY = 16
"""Only a channel with so many values is centred. Behind a mean over positions a channel has one
value an image, and these hardly differ: its mean is nearly all of it. A cut changes that mean, so a
gate that was centred on the old one would open or close wholly, and hide what is behind it."""
_STATISTICS = ("running_mean", "running_var")


def _is_norm(module: nn.Module) -> bool:
    return isinstance(module, _BatchNorm | nn.LayerNorm | nn.GroupNorm)


@contextmanager
def kept_in_range(twin: nn.Module) -> Iterator[None]:
    """Make each layer fit the size of its input, at its first call within the block.

    Without this, activations double with every residual block. They would drown the little that a
    late layer adds, and saturate the sigmoid of a gate, which would hide a wrong cut there. A
    channel that is negative everywhere is silenced by a ReLU, and what is behind it hides a wrong
    cut as well. So the outputs of a channel are spread about a point near zero, if it has enough
    values (`_MANY`).
    """
    handles: dict[tuple[nn.Module, str], Any] = {}
    for layer in twin.modules():
        if isinstance(layer, _BatchNorm | _ConvNd | nn.Linear):
            fit: Any = _fit_norm if isinstance(layer, _BatchNorm) else _fit_weight
            handles[layer, "in"] = layer.register_forward_pre_hook(_once(fit, handles, "in"))
        if isinstance(layer, _ConvNd | nn.Linear) and layer.bias is not None:
            hook = layer.register_forward_hook(_once(_fit_bias, handles, "out"))
            handles[layer, "out"] = hook
    try:
        yield
    finally:
        for handle in handles.values():
            handle.remove()


def _once(fit: Any, handles: dict[tuple[nn.Module, str], Any], side: str) -> Any:
    """A hook that calls `fit` with the layer and what it takes or gives, at its first call only."""

    def hook(layer: nn.Module, x: Any, out: Any = None) -> Any:
        handles.pop((layer, side)).remove()
        with torch.no_grad():
            return fit(layer, x[0] if out is None else out)

    return hook


def _fit_weight(layer: Any, x: Tensor) -> None:
    size = _size(x)
    if 0 < size < float("inf") and not 0.1 < size < 10 and "weight" in layer._parameters:
        layer.weight.mul_(1 / size)


def _fit_norm(layer: Any, x: Tensor) -> None:
    """Make the statistics of a batch norm those of `x`, up to the random numbers in them."""
    if layer.running_mean is None or layer.running_var is None:
        return
    mean, spread = _moments(x, 1)
    if not (spread.isfinite().all() and spread.gt(0).all()):
        return
    if x.numel() < _MANY * len(mean):
        mean, spread = torch.zeros_like(mean), torch.full_like(spread, _size(x))
    layer.running_mean.mul_(spread).add_(mean)
    layer.running_var.mul_(spread.square())


def _fit_bias(layer: Any, out: Tensor) -> Tensor:
    """Make the bias the mean of a channel, in units of its spread; returns the output with it."""
    channels = -1 - len(layer.kernel_size) if isinstance(layer, _ConvNd) else -1
    mean, spread = _moments(out, channels)
    few = out.numel() < _MANY * len(mean)
    if few or not spread.isfinite().all() or "bias" not in layer._parameters:
        return out
    shift = layer.bias * spread - mean
    layer.bias.add_(shift)
    fitted: Tensor = out + shift.view(-1, *(1,) * (-1 - channels))
    return fitted


def _moments(x: Tensor, channels: int) -> tuple[Tensor, Tensor]:
    """Mean and spread of each channel; a spread is at least a tenth of the size of `x`.

    A smaller one would be amplified by a norm, with all rounding errors.
    """
    flat = x.transpose(0, channels).flatten(1)
    return flat.mean(1), flat.std(1, correction=0).clamp(min=_size(x) / 10)


def _size(x: Tensor) -> float:
    return float(x.square().mean().sqrt())
