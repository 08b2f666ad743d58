"""Gradients of the loss with respect to a gate on every unit, for each image by itself.

A gate z is a factor 1 on a unit's output. q_n = ∂L_n/∂z of image n comes, for all groups at once,
from one backward pass.
"""

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
        description="for a group with several gates, such as a residual stream: joint: score the "
        "sum of their gradients; mean: take the mean of their scores; first: take the first gate"
    ),
]
Gates = Sequence[Member]


class GateParams(ImageParams):
    """How many images are scored, and how the gates of a group become one score."""

    reduction: Joining = "joint"
    normalize: Normalize = "none"


def gate_gradients(
    scene: Scene, criterion: str, params: GateParams, *, filters: bool = False
) -> list[Tensor]:
    """Per group q as (gates, images, units), float64 on the CPU; one gate if they are joined.

    With `filters`, a gate multiplies the filters of each layer that makes a group's channels, but
    not its bias: q is then Σ w · ∂L_n/∂w over the filter.
    """
    gates: list[Gates] = [group.gates for group in scene.groups]
    if filters:
        gates = [_sources(scene.model, group.writers) for group in scene.groups]
    chunks_of_q: list[list[Tensor]] = [[] for _ in gates]
    with passes(scene, criterion, params.images, backward=True) as (model, chunks):
        open_gates = OpenGates(model, gates, filters=filters)
        for x, y in chunks:
            torch.autograd.backward(F.cross_entropy(model(x), y, reduction="sum"))
            for parts, q in zip(chunks_of_q, open_gates.take(), strict=True):
                parts.append(join_gates(q, params.reduction).double().cpu())
            _check_rows(scene, chunks_of_q, len(x))
    return [torch.cat(parts, 1) for parts in chunks_of_q]


def _check_rows(scene: Scene, chunks_of_q: Sequence[Sequence[Tensor]], images: int) -> None:
    for group, parts in zip(scene.groups, chunks_of_q, strict=True):
        if (rows := parts[-1].shape[1]) != images:
            raise ValueError(
                f"layer {group.name} puts out {rows} rows for {images} images; gates need images "
                "to be the first dimension"
            )


def join_gates(q: Tensor, reduction: str) -> Tensor:
    """(gates, images, units) with the gates summed ("joint"), only the first, or unchanged."""
    if reduction == "joint":
        return q.sum(0, keepdim=True)
    return q[:1] if reduction == "first" else q


def _sources(model: nn.Module, writers: Gates) -> Gates:
    """The writers that make channels; if all of them only pass channels on, the first one."""
    return [m for m in writers if not is_link(model.get_submodule(m.layer))] or writers[:1]


class OpenGates:
    """Gates behind the layers of a network, until they are closed.

    A gate multiplies by 1, so the network's outputs stay the same to the bit. A forward pass
    without gradients has no gates, and neither has one for which `enabled` is false.
    """

    def __init__(
        self,
        model: nn.Module,
        gates: Sequence[Gates],
        *,
        filters: bool = False,
        enabled: Callable[[], bool] = lambda: True,
        on_complete: Callable[[], None] = lambda: None,
    ) -> None:
        """Insert the gates.

        Args:
            model: The network.
            gates: Per group the layers, and their channels, that get a gate.
            filters: Leave a layer's bias outside its gate.
            enabled: Asked in each forward pass whether it gets gates.
            on_complete: Called when a backward pass has reached every gate.
        """
        self._gates, self._filters = gates, filters
        self._enabled, self._on_complete = enabled, on_complete
        self._received: dict[str, Tensor] = {}
        """Layer -> (images, channels) gradients of its gate in this backward pass."""
        self._layers = {member.layer for group in gates for member in group}
        self._handles: list[RemovableHandle] = [
            model.get_submodule(name).register_forward_hook(partial(self._insert, name))
            for name in self._layers
        ]

    def close(self) -> None:
        """Remove the gates from the network."""
        for handle in self._handles:
            handle.remove()

    def take(self) -> list[Tensor]:
        """The gradients of the last backward pass: per group q as (gates, images, units).

        Raises:
            ValueError: a layer with a gate took no part in the backward pass.
        """
        if missing := self._layers - self._received.keys():
            raise ValueError(f"no gradient came back from {', '.join(sorted(missing))}")
        received, self._received = self._received, {}
        return [
            torch.stack([_unit_gradients(received[member.layer], member) for member in group])
            for group in self._gates
        ]

    def _insert(self, name: str, layer: nn.Module, inputs: Any, output: Tensor) -> Tensor | None:
        """The layer's output times its gate, which has one factor per image and channel."""
        if not torch.is_grad_enabled() or not self._enabled():
            return None
        shape, bias = _gate_shape(layer, output), layer.bias
        gate = output.new_ones(shape).requires_grad_()
        gate.register_hook(partial(self._receive, name))  # type: ignore[no-untyped-call]
        if not self._filters or not isinstance(bias, Tensor):
            return output * gate
        fixed = bias.view(1, *shape[1:])
        return fixed + (output - fixed) * gate

    def _receive(self, name: str, gradient: Tensor) -> None:
        q = gradient.flatten(1)
        earlier = self._received.get(name)  # from another use of the same layer
        self._received[name] = q if earlier is None else earlier + q
        if len(self._received) == len(self._layers):
            self._on_complete()


def _unit_gradients(q: Tensor, member: Member) -> Tensor:
    """(images, channels) summed over the channels of each unit."""
    return q[:, torch.from_numpy(member.index).to(q.device)].sum(2)


def _gate_shape(layer: nn.Module, output: Tensor) -> tuple[int, ...]:
    """The shape of one factor per image and channel; linear layers have their channels last."""
    positions = (1,) * (output.dim() - 2)
    if isinstance(layer, nn.Linear):
        return (len(output), *positions, output.shape[-1])
    return (len(output), output.shape[1], *positions)
