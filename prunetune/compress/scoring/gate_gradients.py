"""q_n = ∂L_n/∂z of every unit's gate z, image by image, from one backward pass for all groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from prunetune.compress.criterion import Scene
from prunetune.compress.graph.groups import Member, is_link
from prunetune.compress.scoring.passes import ImageParams, passes
from prunetune.compress.scoring.per_unit import Normalize

Joining = Annotated[
    Literal["joint", "mean", "first"],
    Field(
        description="of a group with several gates, as a residual stream: joint: their sum is "
        "scored; mean: the mean of their scores; first: the first one's"
    ),
]
Gates = Sequence[Member]


class GateParams(ImageParams):
    """What is looked at, and how a group's gates become one score."""

    reduction: Joining = "joint"
    normalize: Normalize = "none"


def gate_gradients(
    scene: Scene, criterion: str, params: GateParams, *, filters: bool = False
) -> list[Tensor]:
    """Per group q as (gates, images, units), float64 on the CPU; one gate if they are joined.

    With `filters` a gate multiplies the filters of each layer that makes a group's channels, its
    bias left out: q is then Σ w · ∂L_n/∂w over the filter.
    """
    gates: list[Gates] = [group.gates for group in scene.groups]
    if filters:
        gates = [_sources(scene.model, group.writers) for group in scene.groups]
    found: list[list[Tensor]] = [[] for _ in gates]
    with passes(scene, criterion, params.images, backward=True) as (model, chunks):
        opened = OpenGates(model, gates, filters=filters)
        for x, y in chunks:
            torch.autograd.backward(F.cross_entropy(model(x), y, reduction="sum"))
            for parts, q in zip(found, opened.take(), strict=True):
                parts.append(reduced(q, params.reduction).double().cpu())
            _check_rows(scene, found, len(x))
    return [torch.cat(parts, 1) for parts in found]


def _check_rows(scene: Scene, found: Sequence[Sequence[Tensor]], images: int) -> None:
    for group, parts in zip(scene.groups, found, strict=True):
        if (rows := parts[-1].shape[1]) != images:
            raise ValueError(
                f"layer {group.name} puts out {rows} rows for {images} images; gates need images "
                "to be the first dimension"
            )


def reduced(q: Tensor, reduction: str) -> Tensor:
    """(gates, images, units) with the gates joined, reduced to the first, or as they are."""
    if reduction == "joint":
        return q.sum(0, keepdim=True)
    return q[:1] if reduction == "first" else q


def _sources(model: nn.Module, writers: Gates) -> Gates:
    return [m for m in writers if not is_link(model.get_submodule(m.layer))] or writers[:1]


class OpenGates:
    """Gates put into a network, behind its layers, until they are closed.

    They multiply by 1: what the network computes is as before, to the bit. A forward pass without
    gradients, and one for which `wanted` is false, leaves them out.
    """

    def __init__(
        self,
        model: nn.Module,
        gates: Sequence[Gates],
        *,
        filters: bool = False,
        wanted: Callable[[], bool] = lambda: True,
        complete: Callable[[], None] = lambda: None,
    ) -> None:
        self._gates, self._filters = gates, filters
        self._wanted, self._complete = wanted, complete
        self._received: dict[str, Tensor] = {}
        self._layers = {member.layer for group in gates for member in group}
        self._handles: list[RemovableHandle] = [
            model.get_submodule(name).register_forward_hook(partial(self._open, name))
            for name in self._layers
        ]

    def close(self) -> None:
        """The network as it was before."""
        for handle in self._handles:
            handle.remove()

    def take(self) -> list[Tensor]:
        """What the last backward pass brought: per group q as (gates, images, units).

        Raises:
            ValueError: a layer with a gate took no part in it.
        """
        if missing := self._layers - self._received.keys():
            raise ValueError(f"no gradient came back from {', '.join(sorted(missing))}")
        received, self._received = self._received, {}
        return [
            torch.stack([_per_unit(received[member.layer], member) for member in group])
            for group in self._gates
        ]

    def _open(self, name: str, layer: nn.Module, inputs: Any, output: Tensor) -> Tensor | None:
        """The layer's output times its gate, one per image and channel."""
        if not torch.is_grad_enabled() or not self._wanted():
            return None
        shape, bias = _spread(layer, output), layer.bias
        gate = output.new_ones(shape).requires_grad_()
        gate.register_hook(partial(self._receive, name))  # type: ignore[no-untyped-call]
        if not self._filters or not isinstance(bias, Tensor):
            return output * gate
        fixed = bias.view(1, *shape[1:])
        return fixed + (output - fixed) * gate

    def _receive(self, name: str, gradient: Tensor) -> None:
        q = gradient.flatten(1)
        before = self._received.get(name)  # of another use of the same layer
        self._received[name] = q if before is None else before + q
        if len(self._received) == len(self._layers):
            self._complete()


def _per_unit(q: Tensor, member: Member) -> Tensor:
    """(images, channels) summed over the channels of each unit."""
    return q[:, torch.from_numpy(member.index).to(q.device)].sum(2)


def _spread(layer: nn.Module, output: Tensor) -> tuple[int, ...]:
    """The shape of a factor per image and channel: channels come last in linear layers."""
    positions = (1,) * (output.dim() - 2)
    if isinstance(layer, nn.Linear):
        return (len(output), *positions, output.shape[-1])
    return (len(output), output.shape[1], *positions)
