"""Types that several rooms share: batches, splits, and the hooks that act inside training.

The rooms on one floor do not import each other, so a type that two of them need is declared here.
Nothing here computes, and torch is imported for type checkers alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from prunetune.config.recipe import Augment

Shape = tuple[int, int, int]
"""(channels, height, width) of an image."""
Batch: TypeAlias = "tuple[Tensor, Tensor]"
"""Images, float32 normalised (N, C, H, W) in channels-last memory, and labels, int64 (N)."""
Batches: TypeAlias = "Callable[[int], Iterator[Batch]]"
"""`batches(n)`: n training images without augmentation, in chunks of any size; every call gives the
same images in the same order."""


class TrainingSplit(Protocol):
    """Some of the images of a data set, on the device that trains, as the engine sees them."""

    def __len__(self) -> int:
        """How many images the split has."""

    def epoch(
        self,
        batch_size: int,
        augment: Augment,
        order: torch.Generator,
        augmentation: torch.Generator,
    ) -> Iterator[Batch]:
        """All images once, shuffled and augmented per image.

        `order` is a generator on the CPU, `augmentation` one on the device of the images. A last
        partial batch is dropped where the split has more than one batch.
        """

    def batches(self, batch_size: int) -> Iterator[Batch]:
        """All images once, in order and not augmented."""


class Split(TrainingSplit, Protocol):
    """A split that also gives a sample of its images, for calibration and scoring."""

    def sample(self, n: int, generator: torch.Generator) -> Iterator[Batch]:
        """`n` images (all, if the split has fewer), not augmented, in an order drawn on the CPU."""


class TrainingSplits(Protocol):
    """The two splits that the training engine sees."""

    @property
    def train(self) -> TrainingSplit:
        """The images to learn from."""

    @property
    def val(self) -> TrainingSplit:
        """The images that decide."""


class Hook(Protocol):
    """Acts inside training; the engine calls all three methods.

    Steps count from 0 over all epochs, epochs from 1. What changes with time follows from the step
    or the epoch alone, unless the hook is `Stateful`. A class that derives from `Hook` overrides
    only the methods that it needs.
    """

    def after_backward(self, model: nn.Module, step: int) -> None:
        """Gradients exist, not yet clipped, and the optimizer has not moved: add to them."""
        return

    def after_step(self, model: nn.Module, step: int) -> None:
        """The optimizer has moved: apply masks again."""
        return

    def after_epoch(self, model: nn.Module, epoch: int) -> None:
        """An epoch is over, its validation not yet done."""
        return


@runtime_checkable
class Begins(Protocol):
    """A hook that acts once before the first step, and again wherever training goes on."""

    def begin(self, model: nn.Module) -> None:
        """`model` will be trained and is on its device; a checkpoint is not yet read."""


@runtime_checkable
class Stateful(Protocol):
    """A hook with a memory, which is saved with every checkpoint and restored from it."""

    def state_dict(self) -> dict[str, Tensor]:
        """All that the hook carries from one epoch to the next, as tensors by name."""

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state_dict` gave, its tensors now on the CPU."""
