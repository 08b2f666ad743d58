"""Large data sets: worker processes decode the images while training goes on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate

from prunetune.config.recipe import Augment, steps_per_epoch
from prunetune.data.augment import cutout
from prunetune.data.dataset import SAMPLE_BATCH, DatasetInfo
from prunetune.data.decode import Decoder, Geometry, ImageFiles, Item
from prunetune.data.files import CorruptDataError, DataMissingError
from prunetune.data.normalise import Normalise
from prunetune.protocols import Batch

_SEED_LIMIT = 2**62
"""The seeds of augmentation are drawn below this number."""


@dataclass(frozen=True)
class _Failure:
    """An error of ours that was raised in a worker."""

    error: OSError


@dataclass(frozen=True)
class _Sendable(Dataset[tuple[Tensor, Tensor] | _Failure]):
    """The images of `decoder`; in place of an image that cannot be read, the error.

    torch would send the error from a worker as the text of its traceback.
    """

    decoder: Decoder

    def __getitem__(self, item: Item) -> tuple[Tensor, Tensor] | _Failure:
        try:
            return self.decoder[item]
        except (CorruptDataError, DataMissingError) as error:
            return _Failure(error)


def _collate(items: list[tuple[Tensor, Tensor] | _Failure]) -> Any:
    """One batch of images and labels, or the first error among them."""
    failures = (item for item in items if isinstance(item, _Failure))
    return next(failures, None) or default_collate(items)


class StreamSplit:
    """A `Split` that is read from files; any number of workers gives the same images."""

    def __init__(
        self,
        files: ImageFiles,
        info: DatasetInfo,
        geometry: Geometry,
        workers: int,
        device: torch.device,
    ) -> None:
        self.files, self.info, self.geometry = files, info, geometry
        self.workers, self.device = workers, device
        self.normalise = Normalise(info, device)

    def __len__(self) -> int:
        return len(self.files.paths)

    def epoch(
        self,
        batch_size: int,
        augment: Augment,
        order: torch.Generator,
        augmentation: torch.Generator,
    ) -> Iterator[Batch]:
        """All images once, shuffled and augmented; see `Split`.

        If `augment.crop` is None, the data set's usual crop is taken: a random resized crop. If it
        is a number, the middle of the image is resized, padded by that many pixels and cropped at
        random; with 0 it is only resized.
        """
        usual = {"crop": self.info.crop, "flip": self.info.flip}
        augment = augment.model_copy(
            update={name: value for name, value in usual.items() if getattr(augment, name) is None}
        )
        n_used = steps_per_epoch(len(self), batch_size) * batch_size
        index = torch.randperm(len(self), generator=order)[:n_used].tolist()
        seeds = torch.randint(
            _SEED_LIMIT, (len(index),), generator=augmentation, device=self.device
        )
        items = list(zip(index, seeds.tolist(), strict=True))
        for x, y in self.stream(items, batch_size, augment):
            yield (cutout(x, augment.cutout, augmentation) if augment.cutout else x), y

    def batches(self, batch_size: int) -> Iterator[Batch]:
        """All images once, in order and not augmented; see `Split`."""
        return self.stream([(i, 0) for i in range(len(self))], batch_size)

    def sample(self, n: int, generator: torch.Generator) -> Iterator[Batch]:
        """`n` images in a random order, not augmented; see `Split`."""
        index = torch.randperm(len(self), generator=generator)[:n].tolist()
        return self.stream([(i, 0) for i in index], SAMPLE_BATCH)

    def stream(
        self, items: list[Item], batch_size: int, augment: Augment | None = None
    ) -> Iterator[Batch]:
        """Batches of `items`: workers decode them in advance, the device normalises them."""
        on_gpu = self.device.type == "cuda"
        loader = DataLoader(
            _Sendable(Decoder(self.files, self.geometry, self.normalise.zero.cpu(), augment)),
            batch_sampler=[items[i : i + batch_size] for i in range(0, len(items), batch_size)],
            num_workers=self.workers,
            collate_fn=_collate,
            pin_memory=on_gpu,
            generator=torch.Generator(),  # without it the loader draws from the global generator
        )
        for batch in loader:
            if isinstance(batch, _Failure):
                raise batch.error
            pixels, labels = batch
            channels_last = pixels.contiguous(memory_format=torch.channels_last)
            x = self.normalise(channels_last.to(self.device, non_blocking=on_gpu))
            yield x, labels.to(self.device, non_blocking=on_gpu)
