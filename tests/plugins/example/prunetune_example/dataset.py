"""Stripes: computed images whose class is the direction of their stripes."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import torch

from prunetune.plugin import DatasetInfo, DatasetParams, Images, ResidentDataset, datasets

DIRECTIONS = ((1, 0), (0, 1), (1, 1), (1, -1))
SIZE = 16


@datasets.register("stripes", params=DatasetParams)
class Stripes(ResidentDataset):
    """Noisy stripes in four directions, 16x16; no file is needed."""

    name = "stripes"
    whole = DatasetInfo(
        shape=(3, SIZE, SIZE), classes=4, train_size=160, val_size=0, test_size=40,
        mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25), crop=0, flip=False,
    )  # fmt: skip
    sums: ClassVar[dict[str, str]] = {"stripes": "version 1"}

    def fetch(self, root: Path, may_download: bool) -> None:
        """Does nothing: the images are computed."""

    def load(self, root: Path, train: bool) -> Images:
        """Striped images, with the direction of the stripes as label."""
        count = self.whole.train_size if train else self.whole.test_size
        generator = torch.Generator().manual_seed(int(train))
        labels = torch.arange(count) % len(DIRECTIONS)
        directions = torch.tensor(DIRECTIONS)[labels].float()
        y, x = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
        phase = torch.rand(count, 1, 1, generator=generator) * 6
        waves = (directions[:, :1, None] * y + directions[:, 1:, None] * x + phase).sin()
        noise = torch.randn(count, SIZE, SIZE, generator=generator) / 2
        grey = (128 + 60 * (waves + noise)).clamp(0, 255).to(torch.uint8)
        return Images(grey[..., None].expand(-1, -1, -1, 3).contiguous(), labels)
