"""What every method must hold."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from prunetune.compress.budget.costs import count_macs, macs_per_channel_pair
from prunetune.compress.method import CompactModel, Infeasible, Target, budget_kinds, masks, reach
from prunetune.compress.network.rebuild import layer_widths
from prunetune.config.parts import Named
from prunetune.protocols import Shape
from prunetune.records.architecture import Architecture
from prunetune.registry import methods
from prunetune.testing.model_laws import check_rebuild
from prunetune.testing.networks import RESIDUAL, Network
from prunetune.testing.training import EPOCHS, compact, context, trained
from prunetune.testing.watch import untouched

SHARES = (0.5, 0.3)
"""Of the dense MACs."""


def check_method(
    name: str,
    params: Mapping[str, Any] | None = None,
    *,
    network: Network = RESIDUAL,
    shares: Sequence[float] = SHARES,
) -> None:
    """Assert the laws of the registered method `name` with these parameters.

    Its network has the MACs that it states, within tolerance of the budget, or it is Infeasible
    with a reason and the nearest MACs; planning knew the fewest it can reach. The architecture is
    that of the network, and rebuilds it bit for bit. The dense network stays as it was; the same
    context gives the same bits. Where it masks weights, MACs are those of the weights that are
    left, and they stay as many in training.
    """
    part = methods.get(name).part
    for share in shares if budget_kinds(part) else (1.0,):
        found_at = float((params or {}).get("at", share))
        source = narrow_source(network, found_at) if part.takes_architecture else None
        _check_share(f"method {name!r} on {network} at {share:.0%} of the MACs", name,
                     dict(params or {}), network, share, source)  # fmt: skip


def narrow_source(network: Network, share: float) -> Architecture:
    """An architecture within tolerance of the budget, as another arm would find it."""
    pruning = Named(name="channel_pruning", params={"criterion": "random"})
    found: CompactModel = methods.make(pruning).run(context(network, share, inherits=True))
    return found.architecture


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
        context(network, share, inherits=part.inherits, source=source) for _ in range(2)
    )
    target = first.target
    told = reach(name, chosen, network.architecture, [target])
    assert told is None or len(told) == 1, f"{who}: reach gives one answer per target"
    try:
        with untouched(network.model, who):
            found = compact(network, part(chosen).run(first))
    except Infeasible as miss:
        assert str(miss) and not target.lowest <= miss.nearest_macs <= target.macs, (
            f"{who}: infeasible, but without a reason, or its nearest MACs meet the budget"
        )
        return
    masked = masks(part)
    _check_found(who, network, target, found, masked=masked)
    if masked:
        _check_masks(who, network, found)
    if told is not None:
        assert told[0].smallest_macs <= found.macs, (
            f"{who}: reach says that {told[0].smallest_macs} MACs are the fewest, run has "
            f"{found.macs}"
        )
    again = compact(network, part(chosen).run(second))
    _check_same(who, found.model, again.model)


def _check_found(
    who: str, network: Network, target: Target, found: CompactModel, *, masked: bool
) -> None:
    count = living_macs if masked else count_macs
    counted = count(found.model, network.input_shape)
    assert found.macs == counted, f"{who}: it states {found.macs} MACs, the network has {counted}"
    assert target.lowest <= counted <= target.macs, (
        f"{who}: {counted} MACs are not within tolerance of {target.macs} (from "
        f"{target.lowest:.0f}); raise Infeasible where the budget cannot be met"
    )
    assert found.architecture.layers == layer_widths(found.model), (
        f"{who}: the architecture's table of layers is not that of the network"
    )
    assert 0 <= found.epochs_used <= EPOCHS, f"{who}: {found.epochs_used} epochs used of {EPOCHS}"
    shared = {p.data_ptr() for p in network.model.parameters() if p.numel()}
    assert not any(p.data_ptr() in shared for p in found.model.parameters() if p.numel()), (
        f"{who}: the network shares memory with the dense one; copy its weights"
    )
    check_rebuild(who, found.architecture, found.model)


def _check_masks(who: str, network: Network, found: CompactModel) -> None:
    model = trained(copy.deepcopy(found.model), network, 1, found.hooks)
    counted = living_macs(model, network.input_shape)
    assert counted == found.macs, (
        f"{who}: after an epoch of training {counted} MACs are left of {found.macs}; its hooks "
        "must put the masks on again after every step"
    )


def living_macs(model: nn.Module, input_shape: Shape) -> int:
    """MACs of one image with the weights that are not zero."""
    total = 0
    for name, cost in macs_per_channel_pair(model, input_shape).items():
        weight = model.get_submodule(name).weight
        assert isinstance(weight, Tensor)
        total += int(weight.count_nonzero()) * cost // math.prod(weight.shape[2:])
    return total


def _check_same(who: str, first: nn.Module, second: nn.Module) -> None:
    one, two = first.state_dict(), second.state_dict()
    assert one.keys() == two.keys(), f"{who}: run again, the network has other layers"
    for key, value in one.items():
        assert value.shape == two[key].shape and torch.equal(value, two[key]), (
            f"{who}: run again from the same context, {key!r} differs; draw from "
            "context.generator, and keep no state between runs"
        )
