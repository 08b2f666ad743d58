"""Handwritten digits, 8x8 pixels: part of scikit-learn, so a first sweep needs no download."""

from __future__ import annotations

from pathlib import Path

import torch

from prunetune.data.dataset import DatasetInfo, DatasetParams
from prunetune.data.resident import Images, ResidentDataset
from prunetune.data.split import split
from prunetune.registry import datasets

_TEST_SEED = 0
"""Draws the test set: a fixed, stratified fifth of the images."""


@datasets.register("digits", params=DatasetParams)
class Digits(ResidentDataset):
    """1,797 grey 8x8 images of handwritten digits (UCI optdigits, its test part)."""

    name = "digits"
    whole = DatasetInfo(
        shape=(1, 8, 8),
        classes=10,
        train_size=1437,
        val_size=0,
        test_size=360,
        mean=(0.3053,),
        std=(0.3759,),
        crop=1,
        flip=False,
    )
    sums = {"sklearn.datasets.load_digits": "1797 images"}  # noqa: RUF012 - ClassVar of the base

    def fetch(self, root: Path, may_download: bool) -> None:
        """Does nothing: the images come with scikit-learn."""

    def load(self, root: Path, train: bool) -> Images:
        """The images of one part, with pixels scaled from 0..16 to 0..255."""
        from sklearn.datasets import load_digits

        data = load_digits()
        pixels = torch.from_numpy(data.images).mul(255 / 16).round().to(torch.uint8)[..., None]
        labels = torch.from_numpy(data.target).long()
        parts = split(labels, self.whole.train_size, self.whole.test_size, _TEST_SEED)
        return Images(pixels, labels).take(parts[0 if train else 1], torch.device("cpu"))
