"""Masks: weights that stay zero while a network trains.

A masked network computes what the cut one would, but at the dense network's price. Two kinds of
pruning need it: of single weights, which nothing cuts, and of channels that go one by one during a
training, at the end of which they are cut at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from prunetune.compress.graph.groups import Group, Member
from prunetune.protocols import Hook

Masks = Mapping[str, Tensor]
"""Parameter name -> a boolean tensor of its shape, true where the weight lives."""


class MaskHook(Hook):
    """Zeroes the masked weights before the first step and after every one.

    `masks` may be replaced while it trains; they are the hook's memory, so a training that goes on
    from a checkpoint has those that it had.
    """

    def __init__(self, masks: Masks | None = None) -> None:
        self.masks: Masks = masks or {}

    @property
    def masks(self) -> Masks:
        """What lives."""
        return self._masks

    @masks.setter
    def masks(self, masks: Masks) -> None:
        self._masks = dict(masks)
        self._bound: tuple[nn.Module, list[Tensor], list[Tensor]] | None = None

    @torch.no_grad()
    def apply(self, model: nn.Module) -> None:
        """Zero what does not live; without masks nothing is touched."""
        if not self._masks:
            return
        if self._bound is None or self._bound[0] is not model:
            weights: list[Tensor] = [model.get_parameter(name) for name in self._masks]
            pairs = zip(weights, self._masks.values(), strict=True)
            self._bound = (model, weights, [torch.empty_like(w).copy_(m) for w, m in pairs])
        torch._foreach_mul_(self._bound[1], self._bound[2])

    def begin(self, model: nn.Module) -> None:
        """See `prunetune.protocols.Begins`."""
        self._bound = None  # the model may have come to another device
        self.apply(model)

    def after_step(self, model: nn.Module, step: int) -> None:
        """The optimizer has moved: zero again."""
        self.apply(model)

    def state_dict(self) -> dict[str, Tensor]:
        """See `prunetune.protocols.Stateful`."""
        return dict(self._masks)

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """See `prunetune.protocols.Stateful`."""
        self.masks = state


def unit_masks(
    model: nn.Module,
    groups: Sequence[Group],
    removed: Sequence[Sequence[int]],
    silent: Iterable[str] = (),
) -> dict[str, Tensor]:
    """Masks that silence the units `removed` of each group, and the layers `silent` as a whole.

    Everything that a cut would take is zeroed: filters, biases, batch norm's scales and shifts, and
    the slices that read them. So nothing of a removed unit gets a gradient, whatever the others do.
    """
    masks: dict[str, Tensor] = {}
    for group, units in zip(groups, removed, strict=True):
        if len(units):
            for member in group.members:
                _mask_member(model, member, units, masks)
    for name in silent:
        for suffix, parameter in model.get_submodule(name).named_parameters(recurse=False):
            masks[f"{name}.{suffix}"] = torch.zeros_like(parameter, dtype=torch.bool)
    return masks


def _mask_member(
    model: nn.Module, member: Member, units: Sequence[int], masks: dict[str, Tensor]
) -> None:
    layer = model.get_submodule(member.layer)
    channels = torch.from_numpy(member.index[list(units)].ravel())
    for suffix, parameter in layer.named_parameters(recurse=False):
        if member.side == "in" and suffix != "weight":
            continue
        name = f"{member.layer}.{suffix}"
        mask = masks.setdefault(name, torch.ones_like(parameter, dtype=torch.bool))
        if member.side == "out":
            mask[channels] = False
        else:
            _mask_inputs(mask, channels, layer.groups if isinstance(layer, _ConvNd) else 1)


def _mask_inputs(mask: Tensor, channels: Tensor, groups: int) -> None:
    """Of a weight (out, in / groups, …): the slices that read these input channels."""
    slices = mask.shape[1]
    by_group = mask.view(groups, len(mask) // groups, *mask.shape[1:])
    by_group[channels // slices, :, channels % slices] = False
