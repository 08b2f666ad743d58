"""What the loop is given from outside: data to train on, and hooks that act inside training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

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

    It is not checkpointed: what changes with time must follow from the step or the epoch alone.
    """

    def after_backward(self, model: nn.Module, step: int) -> None:
        """Gradients are there, not yet clipped, and the optimizer has not moved."""

    def after_step(self, model: nn.Module, step: int) -> None:
        """The optimizer has moved."""

    def after_epoch(self, model: nn.Module, epoch: int) -> None:
        """An epoch is over, its validation not yet done."""
