"""How many of a network's MACs cannot be pruned because channels are left alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from torch import nn
from torch.nn.modules.conv import _ConvNd

from prunetune.compress.budget.counting import count_by_module
from prunetune.compress.graph.groups import Group, Refused, is_depthwise
from prunetune.compress.graph.layout import Side
from prunetune.protocols import Shape


def fixed_share(
    model: nn.Module, input_shape: Shape, groups: Sequence[Group]
) -> Callable[[Refused], float]:
    """A function from channels that are left alone to a share of the network's MACs.

    These MACs remain in the layers that have such channels when all `groups` are cut to one unit
    each, and would go with the channels.
    """
    spare: dict[tuple[str, Side], int] = {}
    for group in groups:
        for member in group.members:
            side = (member.layer, member.side)
            spare[side] = spare.get(side, 0) + member.index.size - member.index.shape[1]
    counted = count_by_module(model, input_shape)
    layers = {
        name: _Layer(model.get_submodule(name), cost) for name, cost in counted.layers.items()
    }
    whole = sum(layer.macs({}, name) for name, layer in layers.items())
    whole += sum(counted.products.values())

    def share(refused: Refused) -> float:
        without = dict(spare)
        for side, channels in refused.channels.items():
            without[side] = without.get(side, 0) + channels
        names = {name for name, _ in refused.channels if name in layers}
        macs = sum(layers[n].macs(spare, n) - layers[n].macs(without, n) for n in names)
        return macs / whole if whole else 0.0

    return share


class _Layer:
    """The MACs of a layer without some of its channels."""

    def __init__(self, layer: nn.Module, cost: int) -> None:
        self.cost, self.groups = cost, 1
        if isinstance(layer, _ConvNd):
            self.inside, self.outside = layer.in_channels, layer.out_channels
            self.groups = layer.groups
            if is_depthwise(layer):
                self.inside, self.groups = 1, 1
        else:
            assert isinstance(layer, nn.Linear)
            self.inside, self.outside = layer.in_features, layer.out_features

    def macs(self, without: Mapping[tuple[str, Side], int], name: str) -> int:
        inside = max(0, self.inside - without.get((name, "in"), 0))
        outside = max(0, self.outside - without.get((name, "out"), 0))
        return self.cost * inside * outside // self.groups
