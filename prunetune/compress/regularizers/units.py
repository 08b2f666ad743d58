"""All units of some groups as one vector, and the parameters that go with each.

A unit owns what a cut removes with it: the filters, biases and norm entries that write its channels
and the slices of every layer that reads them. A weight of a convolution may so belong to two units,
that which it writes and that which it reads. Tensors of one shape are handled as one, so that a
training step has to start few kernels; nothing here waits for a device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from prunetune.compress.graph.groups import Group, IntArray, Member


class Units:
    """The units of `groups` in `model`, group after group.

    A *slot* is a channel on one side of one parameter; it belongs to one unit, or to none.
    """

    def __init__(self, model: nn.Module, groups: Sequence[Group]) -> None:
        layers = dict.fromkeys(member.layer for group in groups for member in group.members)
        layout = _Layout(model, tuple(layers))
        tables = [
            np.concatenate([layout.slots(member) for member in group.members], axis=1)
            for group in groups
        ]
        rows = [row for table in tables for row in table]
        starts = np.cumsum([0, *(group.width for group in groups)])
        owner = np.full(layout.count, len(rows))  # behind the last unit: nobody
        for unit, row in enumerate(rows):
            owner[row] = unit
        alike = [np.arange(a, b) for a, b in pairwise(starts)]
        device = next(model.parameters()).device
        self._stacks = layout.stacks
        self._owner = torch.from_numpy(owner).to(device)
        self._table = torch.from_numpy(_table(rows, fill=layout.count)).to(device)
        self._alike = torch.from_numpy(_table(alike)).to(device)
        self._group = torch.from_numpy(np.repeat(range(len(groups)), np.diff(starts))).to(device)
        sizes = np.append(layout.sizes, 0)[_table(rows, fill=layout.count)].sum(1)
        self.sizes = torch.from_numpy(sizes).float().to(device)
        """(units,) how many parameters each has."""

    @torch.no_grad()
    def energies(self) -> Tensor:
        """(units,) the sum of squares of each unit's parameters."""
        slots = [stack.energies() for stack in self._stacks]
        return torch.cat([*slots, slots[0].new_zeros(1)])[self._table].sum(1)

    def weakness(self, energies: Tensor) -> Tensor:
        """(units,) from 0, the strongest unit of a group, to 1, its weakest; 0 if all are alike."""
        within = energies[self._alike]
        high, low = within.amax(1)[self._group], within.amin(1)[self._group]
        return torch.where(high > low, (high - energies) / (high - low), 0.0)

    @torch.no_grad()
    def shrink(self, factors: Tensor) -> None:
        """Add `factors` (units,) times its parameters to the gradient of every unit."""
        by_slot = torch.cat([factors, factors.new_zeros(1)])[self._owner]
        sizes = [stack.count for stack in self._stacks]
        for stack, own in zip(self._stacks, torch.split(by_slot, sizes), strict=True):
            stack.shrink(own)


@dataclass(frozen=True)
class _Stack:
    """Parameters of one shape. Slots: the outputs of each, then the inputs of each."""

    parameters: list[Tensor]
    groups: int
    """Of a grouped convolution, which reads shape[1] channels in each; else 1."""

    @property
    def outputs(self) -> int:
        """Slots that each has for what it writes."""
        return self.parameters[0].shape[0]

    @property
    def inputs(self) -> int:
        """Slots that each has for what it reads; norms and biases have none."""
        shape = self.parameters[0].shape
        return self.groups * shape[1] if len(shape) > 1 else 0

    @property
    def count(self) -> int:
        """All slots."""
        return len(self.parameters) * (self.outputs + self.inputs)

    def energies(self) -> Tensor:
        """(slots,) sums of squares."""
        squares = torch.stack(self.parameters).square()
        if squares.ndim == 2:
            return squares.flatten()
        squares = squares.flatten(3).sum(3) if squares.ndim > 3 else squares
        n, outputs, slices = squares.shape
        by_input = squares.view(n, self.groups, outputs // self.groups, slices).sum(2)
        return torch.cat([squares.sum(2).flatten(), by_input.flatten()])

    def shrink(self, factors: Tensor) -> None:
        """Add to every gradient its parameter times the factors of its slots."""
        n, shape = len(self.parameters), self.parameters[0].shape
        out, read = torch.split(factors, [n * self.outputs, n * self.inputs])
        if len(shape) > 1:
            pairs = out.view(n, self.groups, -1, 1) + read.view(n, self.groups, 1, -1)
            out = pairs.view(n, *shape[:2], *(1 for _ in shape[2:]))
        else:
            out = out.view(n, *shape)
        torch._foreach_addcmul_(gradients(self.parameters), self.parameters, list(out.unbind()))


def gradients(parameters: Sequence[Tensor]) -> list[Tensor]:
    """What a backward pass has left in each."""
    found = [parameter.grad for parameter in parameters if parameter.grad is not None]
    assert len(found) == len(parameters), "a parameter of a group that may shrink has no gradient"
    return found


class _Layout:
    """Which slots the layers have."""

    def __init__(self, model: nn.Module, layers: Sequence[str]) -> None:
        alike: dict[tuple[torch.Size, int], list[tuple[str, nn.Parameter]]] = {}
        for layer in layers:
            module = model.get_submodule(layer)
            for name in ("weight", "bias"):
                parameter = getattr(module, name, None)
                if isinstance(parameter, nn.Parameter):
                    kind = (parameter.shape, getattr(module, "groups", 1))
                    alike.setdefault(kind, []).append((f"{layer}.{name}", parameter))
        self.stacks: list[_Stack] = []
        self.count = 0
        self._outputs: dict[str, int] = {}
        self._inputs: dict[str, int] = {}
        sizes: list[IntArray] = []
        for (_, groups), found in alike.items():
            stack = _Stack([parameter for _, parameter in found], groups)
            for i, (name, parameter) in enumerate(found):
                self._outputs[name] = self.count + i * stack.outputs
                if parameter.ndim > 1:
                    first = self.count + len(found) * stack.outputs
                    self._inputs[name] = first + i * stack.inputs
            for side in (stack.outputs, stack.inputs):
                sizes.append(np.full(len(found) * side, found[0][1].numel() // max(1, side)))
            self.stacks.append(stack)
            self.count += stack.count
        self.sizes = np.concatenate(sizes)
        """(slots,) how many numbers each has."""

    def slots(self, member: Member) -> IntArray:
        """(units, slots of each) what a member of a group adds to its units."""
        weight, bias = f"{member.layer}.weight", f"{member.layer}.bias"
        if member.side == "in" and weight in self._inputs:
            return member.index + self._inputs[weight]
        starts = [self._outputs[name] for name in (weight, bias) if name in self._outputs]
        empty = np.empty((len(member.index), 0), dtype=np.int64)
        return np.concatenate([empty, *(member.index + start for start in starts)], axis=1)


def _table(rows: Sequence[IntArray], fill: int | None = None) -> IntArray:
    """Rows of unequal length as one array, filled up with `fill` or the last of each."""
    longest = max(len(row) for row in rows)
    ends = [row[-1] if fill is None else fill for row in rows]
    table = [
        np.pad(row, (0, longest - len(row)), constant_values=end)
        for row, end in zip(rows, ends, strict=True)
    ]
    return np.stack(table)
