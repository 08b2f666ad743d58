"""CIFAR-10 and CIFAR-100: 60,000 colour images of 32x32 (Krizhevsky 2009)."""

from __future__ import annotations

import io
import pickle
import tarfile
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from prunetune.data.dataset import DatasetInfo, DatasetParams
from prunetune.data.files import DataMissingError, download, read_checked
from prunetune.data.resident import Images, ResidentDataset
from prunetune.records.files import write_whole
from prunetune.registry import datasets


class Cifar(ResidentDataset):
    """The "python version" of CIFAR-10 or CIFAR-100, with torchvision's names and checksums."""

    folder: ClassVar[str]
    archive: ClassVar[tuple[str, str]]
    """URL and MD5."""
    test_file: ClassVar[str]

    def fetch(self, root: Path, may_download: bool) -> None:
        """Download and unpack the published archive under `root` if a file is missing."""
        folder = root / self.folder
        missing = [name for name in self.sums if not (folder / name).exists()]
        if missing and may_download:
            self._download(folder, missing)
        elif missing:
            raise DataMissingError(
                f"{self.name}: no file {folder / missing[0]}; unpack {self.archive[0]} in {root}"
            )

    def load(self, root: Path, train: bool) -> Images:
        """The images of one part; each file is checked first, because it is a pickle."""
        names = [name for name in self.sums if (name != self.test_file) == train]
        data = [read_checked(root / self.folder / name, self.sums[name]) for name in names]
        parts = [pickle.loads(part, encoding="latin1") for part in data]
        planes = torch.from_numpy(np.concatenate([part["data"] for part in parts]))
        labels = [label for part in parts for label in part.get("labels", part.get("fine_labels"))]
        pixels = planes.view(-1, 3, 32, 32).permute(0, 2, 3, 1).contiguous()
        return Images(pixels, torch.tensor(labels))

    def _download(self, folder: Path, missing: list[str]) -> None:
        data = download(*self.archive, folder)
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for name in missing:
                member = archive.extractfile(f"{self.folder}/{name}")
                assert member is not None, "the checksum says that it is a file"
                write_whole(folder / name, member.read())


@datasets.register("cifar10", params=DatasetParams)
class Cifar10(Cifar):
    """CIFAR-10: 50,000 training and 10,000 test images of 32x32 in 10 classes."""

    name = "cifar10"
    whole = DatasetInfo(
        shape=(3, 32, 32),
        classes=10,
        train_size=50_000,
        val_size=0,
        test_size=10_000,
        mean=(0.4914, 0.4822, 0.4465),
        std=(0.2470, 0.2435, 0.2616),
        crop=4,
        flip=True,
    )
    folder = "cifar-10-batches-py"
    archive = (
        "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
        "c58f30108f718f92721af3b95e74349a",
    )
    sums = {  # noqa: RUF012 - ClassVar of the base
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "40351d587109b95175f43aff81a1287e",
    }
    test_file = "test_batch"


@datasets.register("cifar100", params=DatasetParams)
class Cifar100(Cifar):
    """CIFAR-100: 50,000 training and 10,000 test images of 32x32 in 100 classes."""

    name = "cifar100"
    whole = DatasetInfo(
        shape=(3, 32, 32),
        classes=100,
        train_size=50_000,
        val_size=0,
        test_size=10_000,
        mean=(0.5071, 0.4865, 0.4409),
        std=(0.2673, 0.2564, 0.2762),
        crop=4,
        flip=True,
    )
    folder = "cifar-100-python"
    archive = (
        "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
        "eb9058c3a382ffc7106e4002c42a8d85",
    )
    sums = {  # noqa: RUF012 - ClassVar of the base
        "train": "16019d7e3df5f24257cddd939b257f8d",
        "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
    }
    test_file = "test"
