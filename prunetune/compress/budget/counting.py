"""Counts the MACs of one forward pass as PyTorch's own counter does, without computing it.

The calls of convolutions and `F.linear` with a layer's weight, or inside it, count for that layer.
Every other product of tensors counts for the module that computes it: the products of attention,
`matmul` and `einsum`, functional convolutions. PyTorch's counter says how many MACs these have. It
knows no recurrent or bilinear layers and no embeddings; they are named in `Count.uncounted`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd

from prunetune.compress.graph.tracing import ShapesOnly, example_input, without_data
from prunetune.protocols import Shape

_DENSE = frozenset({"linear", *(f"conv{way}{n}d" for way in ("", "_transpose") for n in (1, 2, 3))})
"""The functions that convolution and linear layers call."""
_PRODUCTS = _DENSE | {
    "matmul", "__matmul__", "__rmatmul__", "mm", "bmm", "addmm", "baddbmm", "addbmm", "mv", "addmv",
    "dot", "vdot", "inner", "einsum", "tensordot", "multi_dot", "linalg_multi_dot", "chain_matmul",
    "convolution", "scaled_dot_product_attention", "multi_head_attention_forward", "bilinear",
    "cdist", "embedding", "embedding_bag", "lstm", "gru", "rnn_tanh", "rnn_relu", "lstm_cell",
    "gru_cell", "rnn_tanh_cell", "rnn_relu_cell",
}  # fmt: skip
"""The functions that multiply tensors, or look up weights."""
_OF_LAYERS = {"torch.nn.modules.conv", "torch.nn.modules.linear"}
_WITHOUT_PRODUCTS = {
    f"torch.nn.modules.{kind}" for kind in ("batchnorm", "container", "normalization", "pooling")
}


@dataclass
class Count:
    """The MACs of one image through a network."""

    layers: dict[str, int] = field(default_factory=dict)
    """Convolution or linear layer -> MACs per pair of (input, output) channels; all uses summed."""
    products: dict[str, int] = field(default_factory=dict)
    """Module -> MACs of the products that it computes outside such layers; all uses summed."""
    uncounted: dict[str, set[str]] = field(default_factory=dict)
    """Module -> names of the functions it calls whose MACs PyTorch's counter does not know."""


def count_by_module(model: nn.Module, input_shape: Shape) -> Count:
    """The MACs of one image, from a forward pass that computes shapes; `model` stays as it is."""
    return count_of_twin(without_data(model), input_shape)


def count_of_twin(twin: nn.Module, input_shape: Shape) -> Count:
    """The MACs of one image through a copy that nobody needs afterwards: hooks stay on it."""
    layers = {n: m for n, m in twin.named_modules() if isinstance(m, _ConvNd | nn.Linear)}
    counter = _Counter(layers)
    for name, module in twin.named_modules():
        if not counter.needs_no_hook(module):
            module.register_forward_pre_hook(partial(counter.enter, name))
            module.register_forward_hook(counter.leave)
    with torch.no_grad(), counter:
        twin(example_input(twin, input_shape))
    return counter.found


class _Counter(ShapesOnly):
    """Sees every call of PyTorch's functions; hooks tell it which module is at work."""

    def __init__(self, layers: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.found = Count()
        self._layers = layers
        weights = {n: id(m._parameters["weight"]) for n, m in layers.items() if _has_weight(m)}
        times = Counter(weights.values())
        self._owners = {key: name for name, key in weights.items() if times[key] == 1}
        self._at_work: list[str] = []

    def needs_no_hook(self, module: nn.Module) -> bool:
        """Whether nothing is lost if it stays unknown when the module is at work.

        A layer is known by its weight. Hooks on all modules would make counting slower by half.
        """
        if type(module).__module__ in _OF_LAYERS:
            return _has_weight(module) and id(module._parameters["weight"]) in self._owners
        return type(module).__module__ in _WITHOUT_PRODUCTS or type(module) is nn.ReLU

    def enter(self, name: str, module: nn.Module, inputs: Any) -> None:
        """A module begins."""
        self._at_work.append(name)

    def leave(self, module: nn.Module, inputs: Any, output: Any) -> None:
        """The module that began last ends."""
        self._at_work.pop()

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """See `TorchFunctionMode`."""
        function = getattr(func, "__name__", "")
        if function not in _PRODUCTS:
            return super().__torch_function__(func, types, args, kwargs)
        at_work = self._at_work[-1] if self._at_work else ""
        name = self._owners.get(id(args[1]), at_work) if len(args) > 1 else at_work
        layer = self._layers.get(name)
        if layer is None or not _is_layers_own(layer, function, args):
            return self._product(at_work, function, partial(func, *args, **(kwargs or {})))
        output = super().__torch_function__(func, types, args, kwargs)
        self.found.layers[name] = self.found.layers.get(name, 0) + _cost(layer, args[0], output)
        return output

    def _product(self, name: str, function: str, call: Any) -> Any:
        from torch.utils.flop_counter import FlopCounterMode  # few networks need it

        with FlopCounterMode(display=False) as counter:
            output = call()
        macs = counter.get_total_flops() // 2
        if macs:
            self.found.products[name] = self.found.products.get(name, 0) + macs
        else:
            self.found.uncounted.setdefault(name, set()).add(function)
        return output


def _has_weight(layer: nn.Module) -> bool:
    """Whether its weight is a parameter, not computed from others as in weight normalisation."""
    return layer._parameters.get("weight") is not None


def _is_layers_own(layer: nn.Module, function: str, args: Any) -> bool:
    """Whether this is the function of the layer, called with a weight of the layer's shape."""
    if isinstance(layer, _ConvNd):
        kind = "conv_transpose" if layer.transposed else "conv"
        own = f"{kind}{len(layer.kernel_size)}d"
    else:
        own = "linear"
    return function == own and len(args) > 1 and args[1].shape == layer.weight.shape


def _cost(layer: nn.Module, x: torch.Tensor, output: torch.Tensor) -> int:
    """Kernel elements · positions, for all images and patches that the layer gets.

    A transposed convolution multiplies its kernel once per position of its input, any other once
    per position of its output.
    """
    if not isinstance(layer, _ConvNd):
        return x.numel() // max(1, x.shape[-1])
    of_input = layer.in_channels, x.numel()
    channels, entries = of_input if layer.transposed else (layer.out_channels, output.numel())
    return math.prod(layer.kernel_size) * (entries // max(1, channels))
