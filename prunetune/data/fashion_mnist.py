"""Fashion-MNIST: 70,000 grey images of 28x28 (Xiao et al. 2017, 1708.07747)."""

from __future__ import annotations

import gzip
from pathlib import Path

import torch

from prunetune.data.dataset import DatasetInfo, DatasetParams
from prunetune.data.files import DataMissingError, download, read_checked
from prunetune.data.resident import Images, ResidentDataset
from prunetune.records.files import write_whole
from prunetune.registry import datasets

FOLDER = Path("FashionMNIST/raw")
MIRROR = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
UNPACKED = {
    "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
    "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
    "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
}
"""File -> MD5, for the files that the published .gz archives contain."""
_IMAGES_HEADER, _LABELS_HEADER = 16, 8
"""Bytes before the first pixel, and before the first label, of an idx file."""


@datasets.register("fashion_mnist", params=DatasetParams)
class FashionMnist(ResidentDataset):
    """Fashion-MNIST: 60,000 training and 10,000 test images of 28x28 in 10 classes."""

    name = "fashion_mnist"
    whole = DatasetInfo(
        shape=(1, 28, 28),
        classes=10,
        train_size=60_000,
        val_size=0,
        test_size=10_000,
        mean=(0.2860,),
        std=(0.3530,),
        crop=2,
        flip=True,
    )
    sums = {  # noqa: RUF012 - ClassVar of the base
        "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
        "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
    }

    def fetch(self, root: Path, may_download: bool) -> None:
        """Download each published file that is missing both as .gz and unpacked."""
        folder = root / FOLDER
        for name in UNPACKED:
            packed = folder / f"{name}.gz"
            if packed.exists() or (folder / name).exists():
                continue
            url = MIRROR + packed.name
            if not may_download:
                raise DataMissingError(f"{self.name}: no file {packed}; put {url} there")
            write_whole(packed, download(url, self.sums[packed.name], folder))

    def load(self, root: Path, train: bool) -> Images:
        """The images of one part, from the idx files or their .gz."""
        part = "train" if train else "t10k"
        pixels = self._read(root / FOLDER, f"{part}-images-idx3-ubyte")[_IMAGES_HEADER:]
        labels = self._read(root / FOLDER, f"{part}-labels-idx1-ubyte")[_LABELS_HEADER:]
        return Images(
            torch.frombuffer(bytearray(pixels), dtype=torch.uint8).view(-1, 28, 28, 1),
            torch.frombuffer(bytearray(labels), dtype=torch.uint8).long(),
        )

    def _read(self, folder: Path, name: str) -> bytes:
        if (folder / name).exists():
            return read_checked(folder / name, UNPACKED[name])
        packed = f"{name}.gz"
        return gzip.decompress(read_checked(folder / packed, self.sums[packed]))
