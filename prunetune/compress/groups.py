"""Coupled groups: which channels of which layers stand or fall together.

A removable *unit* is what is cut at once: one channel of the layer that writes it, with everything
that is joined to it: batch norm entries, input channels of every reader, channels of other writers
that a residual sum adds to it, and in grouped convolutions one channel of every convolution group
(they must stay equally wide). torch-pruning's dependency graph finds the coupling; from there on it
is our own data, so that scores, costs and the cut agree on what a unit is.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
import torch_pruning as tp
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.overrides import TorchFunctionMode

from prunetune.compress.gates import gated_layers

IntArray = npt.NDArray[np.int64]
Shape = tuple[int, int, int]
Side = Literal["out", "in"]


@dataclass(frozen=True, eq=False)
class Member:
    """One side of one layer in a group; batch norm and depthwise convolutions count as `out`."""

    layer: str
    side: Side
    index: IntArray
    """(units, channels per unit): the layer's channels on that side that go with each unit.

    A unit has several channels behind a flattening (one per position) and in grouped convolutions
    (one per convolution group); an offset comes from a concatenation.
    """


@dataclass(frozen=True, eq=False)
class Group:
    """Units that are alike: the same layers, the same sides, one index each."""

    members: tuple[Member, ...]
    """The layers that write come first, in the network's order."""
    gates: tuple[Member, ...] = ()
    """Those on whose output a factor scales the units as a whole: see `prunetune.compress.gates`."""

    @property
    def name(self) -> str:
        """The first layer that writes the group's channels."""
        return self.members[0].layer

    @property
    def width(self) -> int:
        """The number of units."""
        return len(self.members[0].index)

    @cached_property
    def writers(self) -> tuple[Member, ...]:
        """The members on whose output side the units are."""
        return tuple(m for m in self.members if m.side == "out")

    def channels(self, units: Sequence[int]) -> list[int]:
        """The first layer's output channels that make up these units, ascending."""
        return sorted(int(i) for i in self.members[0].index[list(units)].ravel())


def find_groups(
    model: nn.Module, input_shape: Shape, ignored: Sequence[nn.Module] = ()
) -> tuple[Group, ...]:
    """The groups whose units may be removed, in the network's order.

    A group is left alone when it writes into a layer of `ignored` (the classifier, say), when it
    touches a layer that is not a convolution, linear or batch norm layer, or when its channels do
    not map onto every layer alike. The model is not touched: a copy without data is traced.

    Raises:
        ValueError: channels cannot be traced through this network.
    """
    twin = without_data(model)
    names = {id(a): name for (name, a) in model.named_modules()}
    graph = trace(twin, input_shape)
    keep_out = [twin.get_submodule(names[id(layer)]) for layer in ignored]
    order = {name: i for i, (name, _) in enumerate(twin.named_modules())}
    found = [_group(graph, raw, order) for raw in graph.get_all_groups(keep_out)]
    return tuple(sorted((g for g in found if g), key=lambda group: order[group.name]))


def without_data(model: nn.Module) -> nn.Module:
    """A copy on the CPU in eval mode whose memory nobody has written: it knows shapes alone."""
    memo: dict[int, Any] = {id(p): nn.Parameter(_empty(p)) for p in model.parameters()}
    memo |= {id(b): _empty(b) for b in model.buffers()}
    return copy.deepcopy(model, memo).eval()


def _empty(tensor: torch.Tensor) -> torch.Tensor:
    return torch.empty(tensor.shape, dtype=tensor.dtype, device="cpu")


def trace(twin: nn.Module, input_shape: Shape) -> Any:
    """torch-pruning's dependency graph of a copy without data."""
    with torch.enable_grad():
        example = (example_input(twin, input_shape),)  # a bare tensor is unpacked into images
        with ShapesOnly():
            try:
                return tp.DependencyGraph().build_dependency(twin, example, verbose=False)
            except (ArithmeticError, LookupError) as error:  # shuffled or interleaved channels
                raise ValueError(
                    f"the channels of {type(twin).__name__} cannot be traced ({error}): it cannot "
                    "be pruned by channels"
                ) from error


def example_input(twin: nn.Module, input_shape: Shape) -> torch.Tensor:
    """One image without data."""
    return torch.empty(1, *input_shape, dtype=next(twin.parameters()).dtype, device="cpu")


class ShapesOnly(TorchFunctionMode):
    """Layers hand on a tensor of the right shape and compute nothing.

    PyTorch's own device for that, meta, takes seconds to import. Each layer stays one operation, by
    which autograd's graph still knows it.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """See `TorchFunctionMode`."""
        if func in POINTWISE:
            return args[0].clone()
        if func is F.linear:
            return _Blank.apply(*args[:2], (*args[0].shape[:-1], len(args[1])))
        if func in CONVOLUTIONS and not isinstance(args[4], str):
            return _Blank.apply(*args[:2], _convolved(*args[:2], *args[3:6]))
        return func(*args, **(kwargs or {}))


POINTWISE = {F.batch_norm, F.relu, F.relu6, F.silu, F.hardswish, F.gelu}
CONVOLUTIONS = {F.conv1d, F.conv2d, F.conv3d}


class _Blank(torch.autograd.Function):
    """An operation of two tensors whose result has a shape and nothing else."""

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


def _group(graph: Any, raw: Any, order: dict[str, int]) -> Group | None:
    """Our view of one of torch-pruning's groups, or None for one that is left alone."""
    width = len(raw[0].idxs)
    members = []
    for item in raw:
        module = item.dep.target.module
        name = graph._module2name.get(module)
        if name not in order:
            if isinstance(module, nn.Parameter):
                return None
            continue  # torch-pruning's own nodes for sums, concatenations and reshapes
        if not isinstance(module, _ConvNd | nn.Linear | _BatchNorm):
            return None
        index = _index(item, width)
        if index is None:
            return None
        side: Side = "out" if graph.is_out_channel_pruning_fn(item.dep.handler) else "in"
        members.append((Member(name, side, index), module))
    members.sort(key=lambda pair: (_rank(*pair), order[pair[0].layer]))
    written = [layer for member, layer in members if member.side == "out"]
    links = [layer for layer in written if is_link(layer)]
    sources = [layer for layer in written if layer not in links] or written[:1]
    gated = [graph._module2name[layer] for layer in gated_layers(graph, sources, links)]
    return _bundle(members, width, gated)


def _rank(member: Member, module: nn.Module) -> int:
    """Layers that write first, then norms, then layers that read."""
    return 2 if member.side == "in" else int(isinstance(module, _BatchNorm))


def _index(item: Any, width: int) -> IntArray | None:
    """(width, channels each) channels of the item by root channel; None if they map unevenly."""
    pairs = np.array(sorted(zip(item.root_idxs, item.idxs, strict=True)), dtype=np.int64)
    each = len(pairs) // width
    if (
        not each
        or len(pairs) != each * width
        or not np.array_equal(pairs[:, 0], np.repeat(np.arange(width), each))
    ):
        return None
    return pairs[:, 1].reshape(width, each)


def _bundle(
    members: Sequence[tuple[Member, nn.Module]], width: int, gated: Sequence[str]
) -> Group | None:
    """Units of one channel of every convolution group where grouped convolutions take part."""
    grouped = [
        (member, conv)
        for member, conv in members
        if isinstance(conv, _ConvNd) and conv.groups > 1 and not is_depthwise(conv)
    ]
    fold = math.lcm(*(conv.groups for _, conv in grouped))
    plain = np.arange(width).reshape(-1, 1)
    if grouped and (width % fold or any(not np.array_equal(m.index, plain) for m, _ in grouped)):
        return None
    units = np.arange(width).reshape(fold, -1).T  # (units, fold): alike positions of every group
    folded = tuple(
        Member(m.layer, m.side, m.index[units].reshape(len(units), -1)) for m, _ in members
    )
    written = {member.layer: member for member in folded if member.side == "out"}
    return Group(folded, tuple(written[name] for name in gated))


def is_link(layer: nn.Module) -> bool:
    """Whether it passes on channels one by one, and makes none from others."""
    return isinstance(layer, _BatchNorm) or is_depthwise(layer)


def is_depthwise(module: nn.Module) -> bool:
    """Whether each input channel is a convolution group of its own with one output channel."""
    return (
        isinstance(module, _ConvNd)
        and 1 < module.groups == module.in_channels == module.out_channels
    )
