"""All units of some groups in one vector, and the parameters that belong to each unit.

A unit owns everything that a cut removes with it: the filters, biases and norm entries that write
its channels, and the slices of every layer that reads them. So a weight of a convolution may belong
to two units, the one that it writes and the one that it reads. Parameters of one shape are stacked,
so that a training step starts few kernels. Nothing in this file waits for a device.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from prunetune.compress.graph.groups import Group, IntArray, Member
from prunetune.compress.graph.layout import by_group, convolution_groups, is_transposed


class Units:
    """The units of `groups` in `model`, group after group.

    A *parameter slice* is the part of one parameter that belongs to one channel, on its output or
    its input side. A slice belongs to one unit or to none.
    """

    def __init__(self, model: nn.Module, groups: Sequence[Group]) -> None:
        layers = dict.fromkeys(member.layer for group in groups for member in group.members)
        slices = _ParameterSlices(model, tuple(layers))
        owned = _owned_slices(groups, slices)
        slice_table = _padded_table(owned, fill=slices.count)
        starts = np.cumsum([0, *(group.width for group in groups)])
        group_units = [np.arange(start, end) for start, end in pairwise(starts)]
        unit_group = np.repeat(range(len(groups)), np.diff(starts))
        sizes = np.append(slices.sizes, 0)[slice_table].sum(1)
        device = next(model.parameters()).device
        self._stacks = slices.stacks
        self._owner = torch.from_numpy(_owners(owned, slices.count)).to(device)
        """(slices,)"""
        self._slices = torch.from_numpy(slice_table).to(device)
        """(units, slices of a unit)"""
        self._group_units = torch.from_numpy(_padded_table(group_units)).to(device)
        """(groups, units of a group)"""
        self._unit_group = torch.from_numpy(unit_group).to(device)
        """(units,)"""
        self.sizes = torch.from_numpy(sizes).float().to(device)
        """(units,) how many numbers each unit owns."""

    @torch.no_grad()
    def energies(self) -> Tensor:
        """(units,) the sum of squares of each unit's parameters."""
        by_slice = [stack.energies() for stack in self._stacks]
        return torch.cat([*by_slice, by_slice[0].new_zeros(1)])[self._slices].sum(1)

    def weakness(self, energies: Tensor) -> Tensor:
        """(units,) from 0, a group's strongest unit, to 1, its weakest; 0 if all are equal."""
        within = energies[self._group_units]
        high, low = within.amax(1)[self._unit_group], within.amin(1)[self._unit_group]
        return torch.where(high > low, (high - energies) / (high - low), 0.0)

    @torch.no_grad()
    def shrink(self, factors: Tensor) -> None:
        """Add `factors` (units,) times its parameters to the gradient of every unit."""
        by_slice = torch.cat([factors, factors.new_zeros(1)])[self._owner]
        counts = [stack.count for stack in self._stacks]
        for stack, stack_factors in zip(self._stacks, torch.split(by_slice, counts), strict=True):
            stack.shrink(stack_factors)


@dataclass(frozen=True)
class _Stack:
    """Parameters of one shape, with the slices of all their outputs, then of all their inputs."""

    parameters: list[Tensor]
    layer: nn.Module
    """The layer of the first parameter; those of the others are of its kind."""

    @cached_property
    def outputs(self) -> int:
        """Slices that each parameter has for the channels it writes."""
        groups, outputs, *_ = self._by_group(self.parameters[0]).shape
        return groups * outputs

    @cached_property
    def inputs(self) -> int:
        """Slices that each parameter has for the channels it reads; 0 for norms and biases."""
        groups, _, *inputs = self._by_group(self.parameters[0]).shape
        return groups * inputs[0] if inputs else 0

    @property
    def count(self) -> int:
        """The number of slices."""
        return len(self.parameters) * (self.outputs + self.inputs)

    def energies(self) -> Tensor:
        """(slices,) sums of squares."""
        squares = torch.stack([self._by_group(p) for p in self.parameters]).square()
        if squares.ndim == 3:
            return squares.flatten()
        squares = squares.flatten(4).sum(4) if squares.ndim > 4 else squares
        return torch.cat([squares.sum(3).flatten(), squares.sum(2).flatten()])

    def shrink(self, factors: Tensor) -> None:
        """Add to every gradient its parameter times the factors (slices,) of its slices."""
        n, views = len(self.parameters), [self._by_group(p) for p in self.parameters]
        groups, outputs, *inputs = views[0].shape
        written, read = torch.split(factors, [n * self.outputs, n * self.inputs])
        scales = written.view(n, groups, outputs)
        if inputs:
            pairs = scales[..., None] + read.view(n, groups, 1, -1)
            scales = pairs.view(*pairs.shape, *(1 for _ in inputs[1:]))
        grads = [self._by_group(gradient) for gradient in gradients(self.parameters)]
        torch._foreach_addcmul_(grads, views, list(scales.unbind()))

    def _by_group(self, parameter: Tensor) -> Tensor:
        """(convolution groups, outputs, inputs, …); (1, outputs) of norms and biases."""
        return by_group(self.layer, parameter) if parameter.ndim > 1 else parameter[None]


def gradients(parameters: Sequence[Tensor]) -> list[Tensor]:
    """The gradient of each parameter after a backward pass."""
    present = [parameter.grad for parameter in parameters if parameter.grad is not None]
    assert len(present) == len(parameters), "a parameter of a group that may shrink has no gradient"
    return present


class _ParameterSlices:
    """The slices of the parameters of some layers, numbered stack after stack."""

    def __init__(self, model: nn.Module, layers: Sequence[str]) -> None:
        self.stacks: list[_Stack] = []
        self.count = 0
        self._first_output: dict[str, int] = {}
        """Parameter -> the number of its first output slice."""
        self._first_input: dict[str, int] = {}
        sizes: list[IntArray] = []
        for names, stack in _stacks(model, layers):
            for i, name in enumerate(names):
                self._first_output[name] = self.count + i * stack.outputs
                if stack.inputs:
                    first = self.count + len(names) * stack.outputs
                    self._first_input[name] = first + i * stack.inputs
            for side in (stack.outputs, stack.inputs):
                size = stack.parameters[0].numel() // max(1, side)
                sizes.append(np.full(len(names) * side, size))
            self.stacks.append(stack)
            self.count += stack.count
        self.sizes = np.concatenate(sizes)
        """(slices,) how many numbers each slice has."""

    def of(self, member: Member) -> IntArray:
        """(units, slices of a unit) the slices that a member of a group adds to its units."""
        weight, bias = f"{member.layer}.weight", f"{member.layer}.bias"
        if member.side == "in" and weight in self._first_input:
            return member.index + self._first_input[weight]
        firsts = [self._first_output[name] for name in (weight, bias) if name in self._first_output]
        empty = np.empty((len(member.index), 0), dtype=np.int64)
        return np.concatenate([empty, *(member.index + first for first in firsts)], axis=1)


def _stacks(model: nn.Module, layers: Sequence[str]) -> list[tuple[list[str], _Stack]]:
    """The weights and biases of the layers, stacked by shape, with the name of each."""
    by_shape: dict[Hashable, tuple[dict[str, Tensor], nn.Module]] = {}
    for layer in layers:
        module = model.get_submodule(layer)
        for name in ("weight", "bias"):
            parameter = getattr(module, name, None)
            if isinstance(parameter, nn.Parameter):
                kind = (parameter.shape, convolution_groups(module), is_transposed(module))
                alike, _ = by_shape.setdefault(kind, ({}, module))
                alike[f"{layer}.{name}"] = parameter
    return [
        (list(parameters), _Stack(list(parameters.values()), layer))
        for parameters, layer in by_shape.values()
    ]


def _owned_slices(groups: Sequence[Group], slices: _ParameterSlices) -> list[IntArray]:
    """The slices of each unit, group after group."""
    return [
        unit_slices
        for group in groups
        for unit_slices in np.concatenate([slices.of(m) for m in group.members], axis=1)
    ]


def _owners(owned: Sequence[IntArray], count: int) -> IntArray:
    """(slices,) the unit that owns each slice, or the number behind the last unit for none."""
    owner = np.full(count, len(owned))
    for unit, unit_slices in enumerate(owned):
        owner[unit_slices] = unit
    return owner


def _padded_table(rows: Sequence[IntArray], fill: int | None = None) -> IntArray:
    """Rows of unequal length as one array, padded with `fill` or with each row's last number."""
    longest = max(len(row) for row in rows)
    ends = [row[-1] if fill is None else fill for row in rows]
    table = [
        np.pad(row, (0, longest - len(row)), constant_values=end)
        for row, end in zip(rows, ends, strict=True)
    ]
    return np.stack(table)
