"""torch-pruning's graph of a network: which channels of which layers depend on each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch_pruning as tp
from torch import nn

from prunetune.compress.graph.coupling import Channels, coupled
from prunetune.compress.graph.failing_layer import layer_at_work
from prunetune.compress.graph.tracing import ShapesOnly, example_input
from prunetune.protocols import Shape


def trace(twin: nn.Module, input_shape: Shape, ignored: Sequence[nn.Module] = ()) -> ChannelGraph:
    """The graph of a copy without data, and the groups that have no output channel of `ignored`.

    Raises:
        ValueError: torch-pruning cannot follow the channels through this network; names the layer
            at which it fails.
    """
    example = example_input(twin, input_shape)
    try:
        with torch.enable_grad(), _Tracing(twin):
            graph = tp.DependencyGraph().build_dependency(
                twin, example, forward_fn=lambda model, x: model(x), verbose=False
            )
            return ChannelGraph(graph, ignored)
    except Exception as error:  # torch-pruning and the network may raise anything
        layer = layer_at_work(error, twin)
        why = str(error).partition("\n")[0]
        raise ValueError(
            f"the channels of {type(twin).__name__} cannot be traced through {layer} "
            f"({type(error).__name__}: {why}): it cannot be pruned by channels"
        ) from error


class ChannelGraph:
    """torch-pruning's graph and its groups."""

    def __init__(self, graph: Any, ignored: Sequence[nn.Module] = ()) -> None:
        self.module2node = graph.module2node
        self._graph = graph
        self._gates = {module for node in self._decoupled() for module in _sources(node)}
        self.raw_groups = list(coupled(graph, ignored))

    def name_of(self, module: Any) -> str | None:
        """The name of a layer; None for torch-pruning's own nodes."""
        name: str | None = self._graph._module2name.get(module)
        return name

    def parameter(self, parameter: nn.Parameter) -> str:
        """The name of a parameter that is part of no layer that torch-pruning knows."""
        return str(self._graph._param_to_name.get(parameter, "of a module of its own"))

    def is_output(self, channels: Channels) -> bool:
        """Whether these channels are on the output side of their layer."""
        return bool(self._graph.is_out_channel_pruning_fn(channels.handler))

    def is_gate(self, layer: nn.Module) -> bool:
        """Whether the layer's one output channel meets many channels of another."""
        return layer in self._gates

    def _decoupled(self) -> Iterator[Any]:
        """Part single channels from the many that they are multiplied with; the nodes between."""
        for node in list(self.module2node.values()):
            if _is_single(node):
                node.dependencies = [d for d in node.dependencies if d.target not in node.inputs]
                for source in node.inputs:
                    kept = [d for d in source.dependencies if d.target is not node]
                    source.dependencies = kept
                yield node


def _is_single(node: Any) -> bool:
    return type(node.grad_fn).__name__ == f"{_Single.__name__}Backward"


def _sources(node: Any) -> Iterator[Any]:
    """The nearest layers before a node, through operations without weights."""
    seen, to_visit = set(), list(node.inputs)
    while to_visit:
        node = to_visit.pop()
        if node in seen:
            continue
        seen.add(node)
        if isinstance(node.module, nn.Module) and list(node.module.parameters(recurse=False)):
            yield node.module
            if not isinstance(node.module, nn.modules.batchnorm._BatchNorm):
                continue
        to_visit += node.inputs


class _Single(torch.autograd.Function):
    """The identity, on a tensor of one channel that many channels are combined with."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x.view_as(x)


_COMBINING = {
    way + name for name in ("add", "sub", "mul", "div", "truediv", "pow") for way in ("", "r", "i")
} | {"true_divide", "maximum", "minimum", "multiply", "subtract", "divide"}


_READING = {
    "__bool__", "__int__", "__float__", "__index__", "__complex__", "item", "tolist", "numpy",
    "nonzero", "argwhere", "masked_select", "unique", "equal", "allclose",
}  # fmt: skip
"""Functions that tell Python, or a shape, what the numbers of a tensor are."""


class _Tracing(ShapesOnly):
    """Marks a tensor of one channel that is combined with many channels.

    torch-pruning takes any two tensors that are combined for equally wide, and would remove the
    gate's one channel with the first of the many.

    Raises:
        ValueError: the path through the network depends on the numbers in an image; the copy has
            none.
    """

    def __init__(self, twin: nn.Module) -> None:
        super().__init__()
        self._of_three = _channel_dimension(twin)
        self._known = {id(tensor) for tensor in (*twin.parameters(), *twin.buffers())}

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """See `TorchFunctionMode`."""
        name = str(getattr(func, "__name__", ""))
        if name in _READING and args and id(args[0]) not in self._known:
            raise ValueError(f"its path depends on the numbers in an image, which {name} reads")
        name = name.strip("_")
        if name in _COMBINING and len(args) > 1 and all(map(_is_activation, args[:2])):
            first, second = args[:2]
            if self._is_gate(first, second):
                first = _Single.apply(first)
            elif self._is_gate(second, first):
                second = _Single.apply(second)
            args = (first, second, *args[2:])
        return super().__torch_function__(func, types, args, kwargs)

    def _is_gate(self, gate: torch.Tensor, other: torch.Tensor) -> bool:
        """Whether `gate` has one channel and `other` has several."""
        if gate.ndim != other.ndim or gate.ndim < 2:
            return False
        dimension = self._of_three if gate.ndim == 3 else 1
        return gate.shape[dimension] == 1 < other.shape[dimension]


def _is_activation(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.grad_fn is not None


def _channel_dimension(twin: nn.Module) -> int:
    """Where tensors of three dimensions have their channels: before or behind their positions."""
    return 1 if any(isinstance(layer, nn.Conv1d) for layer in twin.modules()) else 2
