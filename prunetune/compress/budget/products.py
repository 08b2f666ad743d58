"""How the MACs of products outside layers (see `counting.py`) follow from the group widths.

A module that declares its units, such as attention, shares the MACs of its products equally among
them. For any other module, narrower copies of the network show what one unit of each group takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import nn

from prunetune.compress.budget.counting import count_by_module
from prunetune.compress.graph.groups import DeclaresUnits, Group
from prunetune.compress.graph.tracing import without_data
from prunetune.compress.network.cut import cut
from prunetune.protocols import Shape

Shares = Mapping[int, int]
"""Group number -> the MACs that go with each of its units."""


def macs_per_unit(
    model: nn.Module, input_shape: Shape, groups: Sequence[Group], products: Mapping[str, int]
) -> dict[str, Shares]:
    """Module -> what each unit takes of the module's `products`; the rest of them is fixed.

    Raises:
        ValueError: the products of a module do not grow by a fixed amount with each unit.
    """
    shares: dict[str, Shares] = {}
    for name, macs in products.items():
        number = _declared_in(model, name, groups)
        if number is not None and macs % groups[number].width == 0:
            shares[name] = {number: macs // groups[number].width}
    others = {name: macs for name, macs in products.items() if name not in shares}
    if others and groups:
        shares |= _measured(without_data(model), input_shape, groups, others)
    return {name: shares.get(name, {}) for name in products}


def _declared_in(model: nn.Module, name: str, groups: Sequence[Group]) -> int | None:
    """The number of the group that the innermost module around `name` declares, if any does."""
    while not isinstance(module := model.get_submodule(name), DeclaresUnits):
        if not name:
            return None
        name = name.rpartition(".")[0]
    prefix = f"{name}." if name else ""
    sides = {(prefix + layer, side) for layer, side in module.prunable_units()}
    for number, group in enumerate(groups):
        if {(member.layer, member.side) for member in group.members} == sides:
            return number
    return None


def _measured(
    model: nn.Module, input_shape: Shape, groups: Sequence[Group], products: Mapping[str, int]
) -> dict[str, Shares]:
    """Module -> MACs per unit, from copies of the network that lack units."""
    halves = [group.width // 2 for group in groups]
    halved = _products(model, input_shape, groups, halves)
    changing = [name for name, macs in products.items() if halved.get(name, 0) != macs]
    shares: dict[str, dict[int, int]] = {name: {} for name in changing}
    for number, group in enumerate(groups):
        if changing and group.width > 1:
            one = [int(i == number) for i in range(len(groups))]
            narrower = _products(model, input_shape, groups, one)
            for name in changing:
                if by := products[name] - narrower.get(name, 0):
                    shares[name][number] = by
    for name in changing:
        expected = products[name] - sum(n * halves[g] for g, n in shares[name].items())
        if expected != halved.get(name, 0):
            raise ValueError(
                f"{name or 'the network itself'} multiplies tensors outside of convolution and "
                "linear layers, and its MACs do not grow by a fixed amount with each channel: the "
                "network's MACs do not follow from its widths, so it cannot be pruned to a budget"
            )
    return dict(shares)


def _products(
    model: nn.Module, input_shape: Shape, groups: Sequence[Group], removed: Sequence[int]
) -> dict[str, int]:
    """The products of the network without this many units of each group."""
    try:
        narrow = cut(model, groups, [range(n) for n in removed])
        return count_by_module(narrow, input_shape).products
    except (RuntimeError, IndexError) as error:
        first = str(error).partition("\n")[0]
        raise ValueError(f"without some channels the network does not run: {first}") from error
