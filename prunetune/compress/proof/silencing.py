"""The network that a cut must equal: the dense network in which units are silenced.

Two networks have a claim to that name. In the first, *nothing reads* the removed channels: every
layer that multiplies them with weights gets zeros in their place. In the second the removed
channels are *silent*: their filters, biases, scales and shifts are zero. A cut must equal the
first. A sum, mean or maximum over channels reads them without weights, so there the first differs
from the cut, and the group is left alone.

The second alone would refuse too much and too little. Behind a sigmoid a silent channel is 0.5, and
its readers add that to everything, which the cut does not; the channel is gone nevertheless, and so
is what it was. And a sum over channels that are silent is the sum over the others. So the second is
asked for what both mean: with silent channels that nothing reads, the network must still equal the
cut. Wherever a silent channel is zero at its readers, which holds for ReLU, GELU, SiLU, hard swish,
tanh and products, the second by itself then equals the cut as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from prunetune.compress.graph.groups import Group
from prunetune.compress.graph.layout import Side


@contextmanager
def with_silent_units(
    model: nn.Module,
    groups: Sequence[Group],
    removed: Sequence[Sequence[int]],
    sides: Sequence[Side] = ("in",),
) -> Iterator[nn.Module]:
    """`model` itself, which computes within the block as if these units were silenced.

    Args:
        model: the dense network.
        groups: its groups.
        removed: the units of each group to silence.
        sides: "in": no layer reads them; "out": no layer writes them.
    """
    channels: dict[tuple[str, Side], list[int]] = {}
    for group, units in zip(groups, removed, strict=True):
        for member in group.members:
            if len(units) and member.side in sides:
                of_layer = channels.setdefault((member.layer, member.side), [])
                of_layer += member.index[list(units)].ravel().tolist()
    handles = [
        _silence(model.get_submodule(name), side, torch.tensor(sorted(listed)))
        for (name, side), listed in channels.items()
    ]
    try:
        yield model
    finally:
        for handle in handles:
            handle.remove()


def _silence(layer: nn.Module, side: Side, channels: Tensor) -> Any:
    """Set these channels of a layer's input or output to zero; the handle ends it."""
    behind = -1  # where the channels are, counted from the last dimension
    if isinstance(layer, _ConvNd):
        behind = -1 - len(layer.kernel_size)

    def zeroed(x: Tensor) -> Tensor:
        dimension = 1 if isinstance(layer, _BatchNorm) else behind
        return x.index_fill(dimension, channels, 0.0)

    if side == "in":
        return layer.register_forward_pre_hook(lambda _, x: (zeroed(x[0]), *x[1:]))
    return layer.register_forward_hook(lambda _, x, out: zeroed(out))
