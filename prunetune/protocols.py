"""Types that several packages share: batches of images, splits, and hooks that act in training.

Packages on one layer do not import each other, so a type that two of them need is declared here.
This module computes nothing, and it imports torch for type checkers only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from prunetune.config.recipe import Augment

Shape = tuple[int, int, int]
"""(channels, height, width) of an image."""
Batch: TypeAlias = "tuple[Tensor, Tensor]"
"""(images, labels): normalised float32 (N, C, H, W) in channels-last memory, and int64 (N)."""
Batches: TypeAlias = "Callable[[int], Iterator[Batch]]"
"""`batches(n)`: n training images without augmentation, in chunks of any size. Every call gives the
same images in the same order."""


class TrainingSplit(Protocol):
    """Some images of a data set, on the device that trains: what the training engine needs."""

    def __len__(self) -> int:
        """The number of images."""

    def epoch(
        self,
        batch_size: int,
        augment: Augment,
        order: torch.Generator,
        augmentation: torch.Generator,
    ) -> Iterator[Batch]:
        """All images once, shuffled, each augmented by itself.

        An incomplete last batch is dropped, unless it is the only batch.

        Args:
            batch_size: Images per batch.
            augment: How images are augmented.
            order: Generator on the CPU that decides the order of the images.
            augmentation: Generator on the images' device that decides their augmentation.
        """

    def batches(self, batch_size: int) -> Iterator[Batch]:
        """All images once, in order and not augmented."""


class Split(TrainingSplit, Protocol):
    """A split that can also draw a sample of its images, for calibration and scoring."""

    def sample(self, n: int, generator: torch.Generator) -> Iterator[Batch]:
        """`n` random images, or all if the split has fewer; not augmented.

        `generator` is on the CPU.
        """


class TrainingSplits(Protocol):
    """The two splits that the training engine sees; the test split is not one of them."""

    @property
    def train(self) -> TrainingSplit:
        """The images that a network learns from."""

    @property
    def val(self) -> TrainingSplit:
        """The images that decide which network is better."""


class Hook(Protocol):
    """Acts during training; the engine calls all three methods.

    Steps are counted from 0 over all epochs, epochs from 1. A hook's behaviour depends on nothing
    but the step and the epoch, unless the hook is `Stateful`. A class that derives from `Hook`
    overrides only the methods that it needs.
    """

    def after_backward(self, model: nn.Module, step: int) -> None:
        """Called when gradients are computed, before they are clipped: the place to add to them."""
        return

    def after_step(self, model: nn.Module, step: int) -> None:
        """Called when the optimizer has changed the weights: the place to apply masks again."""
        return

    def after_epoch(self, model: nn.Module, epoch: int) -> None:
        """Called at the end of an epoch, before its validation."""
        return


class Pulse(Protocol):
    """Hears that a trial is alive. A class that derives from `Pulse` may override both methods."""

    def beat(self) -> None:
        """Called after every step of training, and before other work that takes its time."""
        return

    def paused(self) -> AbstractContextManager[None]:
        """For the block, the trial waits for another one, and no beat is to be expected."""
        return nullcontext()


@runtime_checkable
class Begins(Protocol):
    """A hook that also acts before the first step, and again each time that training resumes."""

    def begin(self, model: nn.Module) -> None:
        """Called with `model` on its training device, before a checkpoint is loaded."""


@runtime_checkable
class Stateful(Protocol):
    """A hook with a state, which is saved in every checkpoint and restored from it."""

    def state_dict(self) -> dict[str, Tensor]:
        """All that the hook needs from one epoch to the next, as tensors by name."""

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state_dict` returned; the tensors are on the CPU."""
