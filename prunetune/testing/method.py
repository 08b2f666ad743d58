"""What every method must hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from prunetune.compress.macs import count_macs
from prunetune.compress.method import CompactModel, Infeasible, Target
from prunetune.compress.reach import reach
from prunetune.compress.rebuild import layer_widths
from prunetune.records.architecture import Architecture
from prunetune.registry import methods
from prunetune.testing.model import check_rebuild
from prunetune.testing.networks import RESIDUAL, Network
from prunetune.testing.training import EPOCHS, compact, context
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
    with a reason and the nearest MACs; what planning said it reaches is reached. The architecture
    is that of the network, and rebuilds it bit for bit. The dense network stays as it was; the same
    context gives the same bits.
    """
    part = methods.get(name).part
    for share in shares:
        source = narrow_source(network, share) if part.takes_architecture else None
        _check_share(f"method {name!r} on {network} at {share:.0%} of the MACs", name,
                     dict(params or {}), network, share, source)  # fmt: skip


def narrow_source(network: Network, share: float) -> Architecture:
    """An architecture within tolerance of the budget, as another arm would find it."""
    entry = methods.get("channel_pruning")
    found: CompactModel = entry.part(entry.params.model_validate({"criterion": "random"})).run(
        context(network, share, inherits=True)
    )
    return found.architecture


def _check_share(
    who: str,
    name: str,
    params: dict[str, Any],
    network: Network,
    share: float,
    source: Architecture | None,
) -> None:
    entry = methods.get(name)
    chosen = entry.params.model_validate(params)
    first, second = (
        context(network, share, inherits=entry.part.inherits, source=source) for _ in range(2)
    )
    target = first.target
    told = reach(name, chosen, network.architecture, [target])
    assert told is None or len(told) == 1, f"{who}: reach gives one answer per target"
    try:
        with untouched(network.model, who):
            found = compact(network, entry.part(chosen).run(first))
    except Infeasible as miss:
        assert str(miss) and not target.lowest <= miss.nearest_macs <= target.macs, (
            f"{who}: infeasible, but without a reason, or its nearest MACs meet the budget"
        )
        return
    _check_found(who, network, target, found)
    if told is not None:
        assert told[0].smallest_macs <= found.macs, (
            f"{who}: reach says that {told[0].smallest_macs} MACs are the fewest, run has "
            f"{found.macs}"
        )
    again = compact(network, entry.part(chosen).run(second))
    _check_same(who, found.model, again.model)


def _check_found(who: str, network: Network, target: Target, found: CompactModel) -> None:
    counted = count_macs(found.model, network.input_shape)
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


def _check_same(who: str, first: nn.Module, second: nn.Module) -> None:
    one, two = first.state_dict(), second.state_dict()
    assert one.keys() == two.keys(), f"{who}: run again, the network has other layers"
    for key, value in one.items():
        assert value.shape == two[key].shape and torch.equal(value, two[key]), (
            f"{who}: run again from the same context, {key!r} differs; draw from "
            "context.generator, and keep no state between runs"
        )
