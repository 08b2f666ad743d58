"""The laws that every method must keep."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from prunetune.compress.budget.costs import count_macs
from prunetune.compress.budget.counting import count_by_module
from prunetune.compress.method import CompactModel, Infeasible, Target, budget_kinds, masks, reach
from prunetune.compress.network.rebuild import layer_widths
from prunetune.config.parts import Named
from prunetune.protocols import Shape
from prunetune.records.architecture import Architecture
from prunetune.registry import methods
from prunetune.testing.model_laws import check_rebuild
from prunetune.testing.networks import RESIDUAL, Network
from prunetune.testing.training import (
    METHOD_EPOCHS,
    finish_compacting,
    method_context,
    train_network,
)
from prunetune.testing.watch import untouched

_SHARES = (0.5, 0.3)
"""Budgets, as shares of the dense MACs."""


def check_method(
    name: str,
    params: Mapping[str, Any] | None = None,
    *,
    network: Network = RESIDUAL,
    shares: Sequence[float] = _SHARES,
) -> None:
    """Assert the laws of the registered method `name` with these parameters.

    - The compact network has the MACs that the method states, within tolerance of the budget; or
      the method raises `Infeasible` with a reason and the nearest MACs. Planning states the fewest
      MACs that it can reach.
    - The stated architecture is that of the network, and rebuilds it bit for bit.
    - The dense network stays as it was, and the same context gives the same network, bit for bit.
    - If the method masks weights, MACs are those of the weights that are not zero, and training
      does not change their number.
    """
    part = methods.get(name).part
    for share in shares if budget_kinds(part) else (1.0,):
        source_share = float((params or {}).get("at", share))
        source = _narrow_architecture(network, source_share) if part.takes_architecture else None
        _check_share(f"method {name!r} on {network} at {share:.0%} of the MACs", name,
                     dict(params or {}), network, share, source)  # fmt: skip


def _narrow_architecture(network: Network, share: float) -> Architecture:
    """An architecture that meets the budget, such as another arm would produce."""
    pruning = Named(name="channel_pruning", params={"criterion": "random"})
    compact: CompactModel = methods.make(pruning).run(method_context(network, share, inherits=True))
    return compact.architecture


def _check_share(
    who: str,
    name: str,
    params: dict[str, Any],
    network: Network,
    share: float,
    source: Architecture | None,
) -> None:
    part, chosen = methods.checked(Named(name=name, params=params))
    first, second = (
        method_context(network, share, inherits=part.inherits, source=source) for _ in range(2)
    )
    target = first.target
    reaches = reach(name, chosen, network.architecture, [target])
    assert reaches is None or len(reaches) == 1, f"{who}: reach gives one answer per target"
    try:
        with untouched(network.model, who):
            compact = finish_compacting(network, part(chosen).run(first))
    except Infeasible as miss:
        assert str(miss) and not target.lowest <= miss.nearest_macs <= target.macs, (
            f"{who}: infeasible, but without a reason, or its nearest MACs meet the budget"
        )
        return
    _check_compact(who, network, target, compact, masked=masks(part))
    if masks(part):
        _check_masks(who, network, compact)
    fewest = reaches[0].smallest_macs if reaches else 0
    assert fewest <= compact.macs, (
        f"{who}: reach says that {fewest} MACs are the fewest, run has {compact.macs}"
    )
    again = finish_compacting(network, part(chosen).run(second))
    _check_same(who, compact.model, again.model)


def _check_compact(
    who: str, network: Network, target: Target, compact: CompactModel, *, masked: bool
) -> None:
    macs_of = _nonzero_macs if masked else count_macs
    counted = macs_of(compact.model, network.input_shape)
    assert compact.macs == counted, (
        f"{who}: it states {compact.macs} MACs, the network has {counted}"
    )
    assert target.lowest <= counted <= target.macs, (
        f"{who}: {counted} MACs are not within tolerance of {target.macs} (from "
        f"{target.lowest:.0f}); raise Infeasible where the budget cannot be met"
    )
    assert compact.architecture.layers == layer_widths(compact.model), (
        f"{who}: the architecture's table of layers is not that of the network"
    )
    assert 0 <= compact.epochs_used <= METHOD_EPOCHS, (
        f"{who}: {compact.epochs_used} epochs used of {METHOD_EPOCHS}"
    )
    dense_memory = {p.data_ptr() for p in network.model.parameters() if p.numel()}
    assert not any(p.data_ptr() in dense_memory for p in compact.model.parameters() if p.numel()), (
        f"{who}: the network shares memory with the dense one; copy its weights"
    )
    check_rebuild(who, compact.architecture, compact.model)


def _check_masks(who: str, network: Network, compact: CompactModel) -> None:
    model = train_network(copy.deepcopy(compact.model), network, 1, compact.hooks)
    counted = _nonzero_macs(model, network.input_shape)
    assert counted == compact.macs, (
        f"{who}: after an epoch of training {counted} MACs are left of {compact.macs}; its hooks "
        "must put the masks on again after every step"
    )


def _nonzero_macs(model: nn.Module, input_shape: Shape) -> int:
    """MACs of one image, counting only weights that are not zero."""
    counted = count_by_module(model, input_shape)
    total = sum(counted.products.values())
    for name, cost in counted.layers.items():
        weight = model.get_submodule(name).weight
        assert isinstance(weight, Tensor)
        total += int(weight.count_nonzero()) * cost // math.prod(weight.shape[2:])
    return total


def _check_same(who: str, first: nn.Module, second: nn.Module) -> None:
    state, again = first.state_dict(), second.state_dict()
    assert state.keys() == again.keys(), f"{who}: run again, the network has other layers"
    for key, value in state.items():
        assert value.shape == again[key].shape and torch.equal(value, again[key]), (
            f"{who}: run again from the same context, {key!r} differs; draw from "
            "context.generator, and keep no state between runs"
        )
