"""Large data sets, whose images are decoded by worker processes as they are needed."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch.utils.data import DataLoader

from prunetune.config.recipe import Augment
from prunetune.data.augment import cutout
from prunetune.data.dataset import SAMPLE_BATCH, DatasetInfo
from prunetune.data.decode import Decoder, Geometry, ImageFiles, Item
from prunetune.data.normalise import Normalise
from prunetune.protocols import Batch

SEEDS = 2**62
"""Seeds of augmentation are drawn below this."""


class StreamSplit:
    """A `Split` that is read from files; the same for any number of workers."""

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
        """Shuffled and augmented; see `Split`.

        `augment.crop` None takes the set's usual random resized crop; a number pads the resized
        middle of the image by so many pixels and crops from that, 0 leaves it as it is.
        """
        usual = {"crop": self.info.crop, "flip": self.info.flip}
        augment = augment.model_copy(
            update={name: value for name, value in usual.items() if getattr(augment, name) is None}
        )
        whole = max(1, len(self) // batch_size) * batch_size
        index = torch.randperm(len(self), generator=order)[:whole].tolist()
        drawn = torch.randint(SEEDS, (len(index),), generator=augmentation, device=self.device)
        items = list(zip(index, drawn.tolist(), strict=True))
        for x, y in self.stream(items, batch_size, augment):
            yield (cutout(x, augment.cutout, augmentation) if augment.cutout else x), y

    def batches(self, batch_size: int) -> Iterator[Batch]:
        """In order, plain; see `Split`."""
        return self.stream([(i, 0) for i in range(len(self))], batch_size)

    def sample(self, n: int, generator: torch.Generator) -> Iterator[Batch]:
        """In a drawn order, plain; see `Split`."""
        index = torch.randperm(len(self), generator=generator)[:n].tolist()
        return self.stream([(i, 0) for i in index], SAMPLE_BATCH)

    def stream(
        self, items: list[Item], batch_size: int, augment: Augment | None = None
    ) -> Iterator[Batch]:
        """Batches of `items`, decoded ahead by the workers and normalised on the device."""
        on_gpu = self.device.type == "cuda"
        loader = DataLoader(
            Decoder(self.files, self.geometry, self.normalise.zero.cpu(), augment),
            batch_sampler=[items[i : i + batch_size] for i in range(0, len(items), batch_size)],
            num_workers=self.workers,
            pin_memory=on_gpu,
            generator=torch.Generator(),  # else the loader draws from the global one
        )
        for pixels, labels in loader:
            last = pixels.contiguous(memory_format=torch.channels_last)
            x = self.normalise(last.to(self.device, non_blocking=on_gpu))
            yield x, labels.to(self.device, non_blocking=on_gpu)
