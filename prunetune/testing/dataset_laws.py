"""The laws that every data set must keep."""

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
from prunetune.testing.networks import CPU, seeded

_ImageBytes = bytes


def check_dataset(
    name: str, params: Mapping[str, Any] | None = None, *, download: bool = False
) -> None:
    """Assert the laws of the registered data set `name` with these parameters.

    - `info` and `digest` are known before an image is opened, and do not change.
    - The splits have the sizes, the image shape and the classes that `info` states.
    - Training and validation images are disjoint, and the seed decides which are which. The test
      images are the same under every seed.
    - The order and the augmentation of images depend only on their two generators.

    Every split is read whole, so use a small part of a large data set (`train_limit`).
    """
    given = dict(params or {})
    dataset = _make(name, given)
    info = _check_facts(name, given, dataset)
    splits = dataset.open(0, CPU, download)
    test = splits.test()
    assert splits.info == info, f"data set {name!r}: the open splits have another info than info()"
    for part, split, size in (
        ("train", splits.train, info.train_size),
        ("val", splits.val, info.val_size),
        ("test", test, info.test_size),
    ):
        _check_split(f"data set {name!r}, {part}", split, size, info)
    other = dataset.open(1, CPU, download)
    whole = given.get("train_limit") is None
    _check_disjoint(name, splits, other, dataset.open(0, CPU, download), whole=whole)
    _check_epoch(f"data set {name!r}, train", splits.train)
    _check_sample(f"data set {name!r}, train", splits.train)


def _make(name: str, params: Mapping[str, Any]) -> Dataset:
    dataset: Dataset = datasets.make(Named(name=name, params=dict(params)))
    return dataset


def _check_facts(name: str, params: Mapping[str, Any], dataset: Dataset) -> DatasetInfo:
    """Check what the data set states before it is opened; its info."""
    with _no_files(f"data set {name!r}: info() opened a file; state sizes and statistics as facts"):
        info = dataset.info()
        again = _make(name, params).info()
    assert info == again, f"data set {name!r}: info() differs between two objects alike"
    assert min(info.train_size, info.val_size, info.test_size) > 0, (
        f"data set {name!r}: a split is empty: {info}"
    )
    assert len(info.mean) == len(info.std) == info.shape[0], (
        f"data set {name!r}: mean and std need one value per channel of {info.shape}"
    )
    digest = dataset.digest()
    assert digest, f"data set {name!r}: digest() is empty"
    assert digest == _make(name, params).digest(), (
        f"data set {name!r}: digest() differs between two objects alike, so no record would match"
    )
    fraction = min(0.5, info.val_size / (info.train_size * 3))
    other = _make(name, {**params, "val_fraction": fraction})
    assert digest != other.digest(), (
        f"data set {name!r}: another val_fraction has the same digest, though it trains on other "
        "images"
    )
    return info


@contextmanager
def _no_files(message: str) -> Iterator[None]:
    """AssertionError with this message if a file is opened inside."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError(message)

    with patch.object(builtins, "open", refuse), patch.object(io, "open", refuse):
        yield


def _check_split(where: str, split: Split, size: int, info: DatasetInfo) -> None:
    assert len(split) == size, f"{where}: has {len(split)} images, info() says {size}"
    n_images = 0
    for x, y in split.batches(50):
        n_images += len(x)
        assert x.dtype == torch.float32, f"{where}: images are {x.dtype}, not float32"
        assert tuple(x.shape[1:]) == info.shape, f"{where}: images are {tuple(x.shape[1:])}"
        assert y.dtype == torch.int64, f"{where}: labels are {y.dtype}, not int64"
        assert 0 <= int(y.min()) <= int(y.max()) < info.classes, (
            f"{where}: labels {int(y.min())} to {int(y.max())}"
        )
    assert n_images == size, f"{where}: batches() gives {n_images} of {size} images"
    first, second = _all(split.batches(50)), _all(split.batches(37))
    assert _equal(first, second), f"{where}: batches() gives another order the second time"


def _check_disjoint(
    name: str, splits: Splits, other: Splits, again: Splits, *, whole: bool
) -> None:
    """Check which images are in which split; `other` has another seed, `again` the same seed."""
    val, other_val = _images(splits.val), _images(other.val)
    assert val == _images(again.val), f"data set {name!r}: one seed has two validation splits"
    assert val != other_val, (
        f"data set {name!r}: the seed does not decide which images are held out for validation"
    )
    assert _images(splits.test()) == _images(other.test()), (
        f"data set {name!r}: the test images depend on the seed"
    )
    if whole:  # then train and val together are the same images under every seed
        assert _images(splits.train) + val == _images(other.train) + other_val, (
            f"data set {name!r}: training and validation images together depend on the seed; an "
            "image is in both, or in neither"
        )


def _check_epoch(where: str, train: Split) -> None:
    size = max(2, len(train) // 3 + 1)  # two whole batches and an incomplete one
    plain = Augment(crop=0, flip=False)
    sizes = [len(y) for _, y in train.epoch(size, plain, seeded(1), seeded(2))]
    assert sizes == [size] * max(1, len(train) // size), (
        f"{where}: batches of {size} come as {sizes}; an incomplete last batch must be dropped"
    )
    first, same, reordered, augmented = (
        _all(train.epoch(size, Augment(), seeded(order), seeded(augmentation)))
        for order, augmentation in ((1, 2), (1, 2), (3, 2), (1, 4))
    )
    assert _equal(first, same), f"{where}: an epoch differs under the same two generators"
    assert not _equal(first, reordered), f"{where}: the generator `order` does not decide the order"
    assert torch.equal(first[1], augmented[1]), (
        f"{where}: the generator `augmentation` moves the order of the images"
    )


def _check_sample(where: str, train: Split) -> None:
    n = min(20, len(train))
    first, same = (_all(train.sample(n, seeded(1))) for _ in range(2))
    assert len(first[1]) == n, f"{where}: sample({n}) gives {len(first[1])} images"
    assert _equal(first, same), f"{where}: sample differs under the same generator"
    assert not set(_contents(first[0])) - set(_images(train)), (
        f"{where}: sample gives images that batches() does not; they must not be augmented"
    )
    assert len(_all(train.sample(10**9, seeded(1)))[1]) == len(train), (
        f"{where}: a sample of more images than there are must give all of them"
    )


def _all(batches: Iterable[Batch]) -> Batch:
    """The batches as one."""
    xs, ys = zip(*batches, strict=True)
    return torch.cat(xs), torch.cat(ys)


def _equal(a: Batch, b: Batch) -> bool:
    return torch.equal(a[0], b[0]) and torch.equal(a[1], b[1])


def _images(split: Split) -> Counter[_ImageBytes]:
    """How often each image is in a split."""
    return Counter(image for x, _ in split.batches(100) for image in _contents(x))


def _contents(x: Tensor) -> list[_ImageBytes]:
    return [image.contiguous().numpy().tobytes() for image in x]
