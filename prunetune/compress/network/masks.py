"""Masks keep weights at zero while a network trains.

A masked network computes the same as the cut one, but with the MACs of the dense network. Two kinds
of pruning need masks: pruning of single weights, which are never cut, and pruning of channels
during training, where channels are masked one after the other and cut together at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from prunetune.compress.graph.groups import Group, Member
from prunetune.compress.graph.layout import set_entries
from prunetune.protocols import Hook

Masks = Mapping[str, Tensor]
"""Parameter name -> a boolean tensor of its shape, true where the weight is kept."""


class MaskHook(Hook):
    """Zeroes the masked weights before the first step and after every step.

    `masks` may be replaced during training. They are the hook's state, so a training that goes on
    from a checkpoint has the same masks as before.
    """

    def __init__(self, masks: Masks | None = None) -> None:
        self.masks: Masks = masks or {}

    @property
    def masks(self) -> Masks:
        """The current masks."""
        return self._masks

    @masks.setter
    def masks(self, masks: Masks) -> None:
        self._masks = dict(masks)
        self._bound: tuple[nn.Module, list[Tensor], list[Tensor]] | None = None

    @torch.no_grad()
    def apply(self, model: nn.Module) -> None:
        """Zero the weights that are not kept; without masks the model stays as it is."""
        if not self._masks:
            return
        if self._bound is None or self._bound[0] is not model:
            weights: list[Tensor] = [model.get_parameter(name) for name in self._masks]
            pairs = zip(weights, self._masks.values(), strict=True)
            self._bound = (model, weights, [torch.empty_like(w).copy_(m) for w, m in pairs])
        torch._foreach_mul_(self._bound[1], self._bound[2])

    def begin(self, model: nn.Module) -> None:
        """See `prunetune.protocols.Begins`."""
        self._bound = None  # the model may have moved to another device
        self.apply(model)

    def after_step(self, model: nn.Module, step: int) -> None:
        """Zero the masked weights again, which the optimizer has changed."""
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
    """Masks that silence the units `removed` of each group, and all parameters of layers `silent`.

    They zero all that a cut would remove: filters, biases, scales and shifts of batch norms, and
    the weights that read these channels. So no weight of a removed unit gets a gradient.
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
        set_entries(layer, mask, member.side, channels, False)
