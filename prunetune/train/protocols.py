"""What the loop is given from outside: data to train on, and hooks that act inside training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from prunetune.spec.recipe import Augment

Batches = Iterator[tuple[Tensor, Tensor]]


class Split(Protocol):
    """A part of a data set, on the device that trains."""

    def __len__(self) -> int: ...

    def epoch(
        self,
        batch_size: int,
        augment: Augment,
        order: torch.Generator,
        augmentation: torch.Generator,
    ) -> Batches:
        """Every image once, shuffled and augmented; a last partial batch is dropped."""

    def batches(self, batch_size: int) -> Batches:
        """Every image once, in order and plain."""


class Splits(Protocol):
    """A data set's parts."""

    @property
    def train(self) -> Split:
        """What is trained on."""

    @property
    def val(self) -> Split:
        """What decides."""


class Hook(Protocol):
    """What may act inside training; steps count from 0 over all epochs, epochs from 1.

    What changes with time follows from the step or the epoch alone, unless the hook is `Stateful`.
    """

    def after_backward(self, model: nn.Module, step: int) -> None:
        """Gradients are there, not yet clipped, and the optimizer has not moved."""

    def after_step(self, model: nn.Module, step: int) -> None:
        """The optimizer has moved."""

    def after_epoch(self, model: nn.Module, epoch: int) -> None:
        """An epoch is over, its validation not yet done."""


@runtime_checkable
class Begins(Protocol):
    """A hook that acts once before the first step, and again wherever training goes on."""

    def begin(self, model: nn.Module) -> None:
        """The network that will be trained, on its device; a checkpoint is not yet read."""


@runtime_checkable
class Stateful(Protocol):
    """A hook with a memory: it is written with every checkpoint and comes back from it."""

    def state_dict(self) -> dict[str, Tensor]:
        """All that it carries from one epoch to the next, as tensors by name."""

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state_dict` gave, its tensors now on the CPU."""
