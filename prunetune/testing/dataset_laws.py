"""What every data set must hold."""

from __future__ import annotations

import builtins
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn
from unittest.mock import patch

import torch
from torch import Tensor

from prunetune.config.parts import Named
from prunetune.config.recipe import Augment
from prunetune.data.dataset import Dataset, DatasetInfo, Splits
from prunetune.protocols import Batch, Split
from prunetune.registry import datasets
from prunetune.testing.networks import seeded

CPU = torch.device("cpu")
Image = bytes


def check_dataset(
    name: str, params: Mapping[str, Any] | None = None, *, download: bool = False
) -> None:
    """Assert the laws of the registered data set `name` with these parameters.

    What `info` and `digest` say is known before an image is opened, and repeats. The splits have
    the sizes, shape and classes stated; training and validation images are disjoint, and the seed
    decides which are which; the test images are the same under every seed. Order and augmentation
    follow from their two generators alone. All splits are read whole: choose parameters for a small
    part of a large data set (`train_limit`).
    """
    stated = dict(params or {})
    dataset = _made(name, stated)
    info = _check_unopened(name, stated, dataset)
    splits = dataset.open(0, CPU, download)
    test = splits.test()
    assert splits.info == info, f"data set {name!r}: what is opened has another info than info()"
    for part, split, size in (
        ("train", splits.train, info.train_size),
        ("val", splits.val, info.val_size),
        ("test", test, info.test_size),
    ):
        _check_split(f"data set {name!r}, {part}", split, size, info)
    other = dataset.open(1, CPU, download)
    whole = stated.get("train_limit") is None
    _check_parts(name, splits, other, dataset.open(0, CPU, download), whole=whole)
    _check_epoch(f"data set {name!r}, train", splits.train)
    _check_sample(f"data set {name!r}, train", splits.train)


def _made(name: str, params: Mapping[str, Any]) -> Dataset:
    made: Dataset = datasets.make(Named(name=name, params=dict(params)))
    return made


def _check_unopened(name: str, params: Mapping[str, Any], dataset: Dataset) -> DatasetInfo:
    with _closed(f"data set {name!r}: info() opened a file; state sizes and statistics as facts"):
        info = dataset.info()
        again = _made(name, params).info()
    assert info == again, f"data set {name!r}: info() differs between two objects alike"
    assert min(info.train_size, info.val_size, info.test_size) > 0, (
        f"data set {name!r}: a split is empty: {info}"
    )
    assert len(info.mean) == len(info.std) == info.shape[0], (
        f"data set {name!r}: mean and std need one value per channel of {info.shape}"
    )
    digest = dataset.digest()
    assert digest, f"data set {name!r}: digest() is empty"
    assert digest == _made(name, params).digest(), (
        f"data set {name!r}: digest() differs between two objects alike, so no record would match"
    )
    fraction = min(0.5, info.val_size / (info.train_size * 3))
    otherwise = _made(name, {**params, "val_fraction": fraction})
    assert digest != otherwise.digest(), (
        f"data set {name!r}: another val_fraction has the same digest, though it trains on other "
        "images"
    )
    return info


@contextmanager
def _closed(message: str) -> Iterator[None]:
    """Nothing can be opened inside."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError(message)

    with patch.object(builtins, "open", refuse), patch.object(io, "open", refuse):
        yield


def _check_split(where: str, split: Split, size: int, info: DatasetInfo) -> None:
    assert len(split) == size, f"{where}: has {len(split)} images, info() says {size}"
    seen = 0
    for x, y in split.batches(50):
        seen += len(x)
        assert x.dtype == torch.float32, f"{where}: images are {x.dtype}, not float32"
        assert tuple(x.shape[1:]) == info.shape, f"{where}: images are {tuple(x.shape[1:])}"
        assert y.dtype == torch.int64, f"{where}: labels are {y.dtype}, not int64"
        assert 0 <= int(y.min()) <= int(y.max()) < info.classes, (
            f"{where}: labels {int(y.min())} to {int(y.max())}"
        )
    assert seen == size, f"{where}: batches() gives {seen} of {size} images"
    first, second = _all(split.batches(50)), _all(split.batches(37))
    assert _equal(first, second), f"{where}: batches() gives another order the second time"


def _check_parts(name: str, splits: Splits, other: Splits, again: Splits, *, whole: bool) -> None:
    val, moved = _images(splits.val), _images(other.val)
    assert val == _images(again.val), f"data set {name!r}: one seed has two validation splits"
    assert val != moved, (
        f"data set {name!r}: the seed does not decide which images are held out for validation"
    )
    assert _images(splits.test()) == _images(other.test()), (
        f"data set {name!r}: the test images depend on the seed"
    )
    if whole:  # all images but the test's, whatever the seed: none is lost, none is in both
        assert _images(splits.train) + val == _images(other.train) + moved, (
            f"data set {name!r}: training and validation images together depend on the seed; an "
            "image is in both, or in neither"
        )


def _check_epoch(where: str, train: Split) -> None:
    size = max(2, len(train) // 3 + 1)  # two whole batches and a part of one
    plain = Augment(crop=0, flip=False)
    epoch = [len(y) for _, y in train.epoch(size, plain, seeded(1), seeded(2))]
    assert epoch == [size] * max(1, len(train) // size), (
        f"{where}: batches of {size} come as {epoch}; a last partial batch is dropped"
    )
    one, same, reordered, moved = (
        _all(train.epoch(size, Augment(), seeded(order), seeded(augmentation)))
        for order, augmentation in ((1, 2), (1, 2), (3, 2), (1, 4))
    )
    assert _equal(one, same), f"{where}: an epoch differs under the same two generators"
    assert not _equal(one, reordered), f"{where}: the generator `order` does not decide the order"
    assert torch.equal(one[1], moved[1]), (
        f"{where}: the generator `augmentation` moves the order of the images"
    )


def _check_sample(where: str, train: Split) -> None:
    n = min(20, len(train))
    one, same = (_all(train.sample(n, seeded(1))) for _ in range(2))
    assert len(one[1]) == n, f"{where}: sample({n}) gives {len(one[1])} images"
    assert _equal(one, same), f"{where}: sample differs under the same generator"
    assert not set(_hashes(one[0])) - set(_images(train)), (
        f"{where}: sample gives images that batches() does not; they must be plain"
    )
    assert len(_all(train.sample(10**9, seeded(1)))[1]) == len(train), (
        f"{where}: a sample of more images than there are must give all of them"
    )


def _all(batches: Iterable[Batch]) -> Batch:
    xs, ys = zip(*batches, strict=True)
    return torch.cat(xs), torch.cat(ys)


def _equal(a: Batch, b: Batch) -> bool:
    return torch.equal(a[0], b[0]) and torch.equal(a[1], b[1])


def _images(split: Split) -> Counter[Image]:
    """How often each image is in a split."""
    return Counter(image for x, _ in split.batches(100) for image in _hashes(x))


def _hashes(x: Tensor) -> list[Image]:
    return [image.contiguous().numpy().tobytes() for image in x]
