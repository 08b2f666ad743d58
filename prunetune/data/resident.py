"""Small data sets: all their images stay on the training device, as uint8 tensors."""

from __future__ import annotations

import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from prunetune.config.recipe import Augment, steps_per_epoch
from prunetune.data.augment import crop_flip, cutout, pad
from prunetune.data.dataset import SAMPLE_BATCH, DatasetInfo, DatasetParams, Splits
from prunetune.data.files import DataMissingError, data_root
from prunetune.data.normalise import Normalise
from prunetune.data.split import split
from prunetune.protocols import Batch
from prunetune.records.key import digest
from prunetune.records.lock import waiting_lock


@dataclass(frozen=True)
class Images:
    """Pixels as uint8 (N, H, W, C) and labels as int64 (N)."""

    pixels: Tensor
    labels: Tensor

    def take(self, index: Tensor, device: torch.device) -> Images:
        """The images of `index`, copied to `device`."""
        return Images(self.pixels[index].to(device), self.labels[index].to(device))


class ResidentSplit:
    """A `Split` whose images are all on the device; an epoch never waits for the device."""

    def __init__(self, images: Images, info: DatasetInfo) -> None:
        self.images, self.info = images, info
        self.device = images.pixels.device
        self.normalise = Normalise(info, self.device)
        self._padded: dict[tuple[int, str], Tensor] = {}

    def __len__(self) -> int:
        return len(self.images.labels)

    def epoch(
        self,
        batch_size: int,
        augment: Augment,
        order: torch.Generator,
        augmentation: torch.Generator,
    ) -> Iterator[Batch]:
        """All images once, shuffled and augmented; see `Split`."""
        crop = (self.info.crop or 0) if augment.crop is None else augment.crop
        flip = self.info.flip if augment.flip is None else augment.flip
        padded = self.padded(crop, augment)
        index = torch.randperm(len(self), generator=order)
        n_used = steps_per_epoch(len(self), batch_size) * batch_size
        for part in torch.split(self._on_device(index[:n_used]), batch_size):
            x = self.normalise(crop_flip(padded, part, self.info.shape[1:], flip, augmentation))
            if augment.cutout:
                x = cutout(x, augment.cutout, augmentation)
            yield x, self.images.labels[part]

    def batches(self, batch_size: int) -> Iterator[Batch]:
        """All images once, in order and not augmented; see `Split`."""
        for start in range(0, len(self), batch_size):
            part = slice(start, start + batch_size)
            pixels = self.images.pixels[part].permute(0, 3, 1, 2)
            yield self.normalise(pixels), self.images.labels[part]

    def sample(self, n: int, generator: torch.Generator) -> Iterator[Batch]:
        """`n` images in a random order, not augmented; see `Split`."""
        index = torch.randperm(len(self), generator=generator)
        for part in torch.split(self._on_device(index[:n]), SAMPLE_BATCH):
            pixels = self.images.pixels[part].permute(0, 3, 1, 2)
            yield self.normalise(pixels), self.images.labels[part]

    def padded(self, crop: int, augment: Augment) -> Tensor:
        """The images with a margin to crop from; the last result is kept for the next epoch."""
        if not crop:
            return self.images.pixels
        key = crop, augment.padding
        if key not in self._padded:
            zero = self.normalise.zero
            self._padded = {key: pad(self.images.pixels, crop, augment.padding, zero)}
        return self._padded[key]

    def _on_device(self, index: Tensor) -> Tensor:
        if self.device.type == "cuda":  # a copy from pinned memory does not wait for the GPU
            return index.pin_memory().to(self.device, non_blocking=True)
        return index.to(self.device)


class ResidentDataset(ABC):
    """Base class of data sets that fit into memory; a subclass states facts and reads files."""

    name: ClassVar[str]
    whole: ClassVar[DatasetInfo]
    """The facts before the validation split: all training images are in `train_size`."""
    sums: ClassVar[dict[str, str]]
    """File -> published checksum."""

    def __init__(self, params: DatasetParams) -> None:
        self.params = params

    def info(self) -> DatasetInfo:
        """The facts of `whole`, changed by the parameters; see `Dataset`."""
        return self.params.apply(self.whole)

    def digest(self) -> str:
        """A hash of the published checksums and of the parameters; see `Dataset`."""
        return digest({"name": self.name, "files": self.sums, **self.params.identity()})

    def open(self, seed: int, device: torch.device, download: bool) -> Splits:
        """The splits on `device`; this process keeps them for its next trial; see `Dataset`."""
        root = data_root(self.params.root)
        self._fetch_once(root, download)
        return _open(type(self), self.params, root, seed, device)

    def _fetch_once(self, root: Path, download: bool) -> None:
        """Fetch; of all processes of this machine, one downloads while the others wait."""
        try:
            self.fetch(root, may_download=False)
        except DataMissingError:
            if not download:
                raise
            with waiting_lock(_fetching(root)):
                self.fetch(root, may_download=True)

    @abstractmethod
    def fetch(self, root: Path, may_download: bool) -> None:
        """Make sure that the files are under `root`.

        Raises:
            DataMissingError: a file is missing and cannot be downloaded, or may not be.
        """

    @abstractmethod
    def load(self, root: Path, train: bool) -> Images:
        """All training images, or all test images, on the CPU.

        Raises:
            CorruptDataError: a file has a wrong checksum.
        """


def _fetching(root: Path) -> Path:
    """Where the lock of a download lies: not in `root`, which a failed one does not even make."""
    of_root = digest([str(root.resolve()), os.getuid()])
    return Path(tempfile.gettempdir()) / f"prunetune-fetching-{of_root}"


@lru_cache(maxsize=2)
def _open(
    kind: type[ResidentDataset], params: DatasetParams, root: Path, seed: int, device: torch.device
) -> Splits:
    dataset = kind(params)
    images = dataset.load(root, train=True)
    return resident_splits(
        dataset.info(), images, lambda: dataset.load(root, train=False), seed, device
    )


def resident_splits(
    info: DatasetInfo,
    images: Images,
    load_test: Callable[[], Images],
    seed: int,
    device: torch.device,
) -> Splits:
    """The splits of all training `images`, and of the test images once somebody asks for them."""
    train, val = split(images.labels, info.train_size, info.val_size, seed)

    @cache
    def test() -> ResidentSplit:
        return ResidentSplit(load_test().take(torch.arange(info.test_size), device), info)

    return Splits(
        info=info,
        train=ResidentSplit(images.take(train, device), info),
        val=ResidentSplit(images.take(val, device), info),
        test=test,
    )
