"""What a data set found, in words: classes, images of each split, their sizes, skipped names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from prunetune.data.dataset import Dataset, DatasetInfo
from prunetune.data.decode import unreadable
from prunetune.data.folders import Listing

_SIZED_IMAGES = 200
"""The sizes of at most this many images are read; they are spread evenly over all images."""


@runtime_checkable
class Finder(Protocol):
    """A data set that has more to say of its files than the facts of `info`."""

    def found(self) -> tuple[str, ...]:
        """One sentence for each thing that the user should know before anything runs.

        Raises:
            CorruptDataError: an image that was looked at cannot be opened.
        """


def what_was_found(dataset: Dataset) -> tuple[str, ...]:
    """One line of the facts that every data set has, then what it found itself, if it says so.

    Raises:
        CorruptDataError: see `Finder.found`.
    """
    own = dataset.found() if isinstance(dataset, Finder) else ()
    return (_facts(dataset.info()), *own)


def _facts(info: DatasetInfo) -> str:
    channels, height, width = info.shape
    return (
        f"{info.classes} classes; {info.train_size:,} images to train on, {info.val_size:,} held "
        f"out for validation, {info.test_size:,} for test; shown as {channels}x{height}x{width}"
    )


def found_in_folders(train: Listing, test: Listing, size: int) -> tuple[str, ...]:
    """What lies in the folders of the training images and of the test images.

    `size` is the height and width that the images get.
    """
    paths = [path for part in (train, test) for images in part.images.values() for path in images]
    return (
        f"{_sizes(paths)}; each becomes {size}x{size} (`size: {size}`)",
        f"test images: {test.folder}",
        *(f"not read: {folder}" for folder in _passed_over(train.folder.parent, test.folder)),
        *(f"no test images of {name!r}" for name in train.images if name not in test.images),
        *(
            f"skipped in {part.folder}: {what} ({count:,})"
            for part in (train, test)
            for what, count in part.skipped.items()
        ),
    )


def _passed_over(root: Path, test: Path) -> Iterator[Path]:
    """The folder of `test` and `val` that the test images were not taken from, if it exists."""
    for name in ("test", "val"):
        if root / name != test and (root / name).is_dir():
            yield root / name


def _sizes(paths: Sequence[Path]) -> str:
    """The smallest and the largest width and height of images spread over `paths`."""
    step = -(-len(paths) // _SIZED_IMAGES)
    sizes = [_size(path) for path in paths[::step]]
    widths, heights = zip(*sizes, strict=True)
    looked = "all" if step == 1 else f"{len(sizes)} of {len(paths):,}"
    return (
        f"images in files: width {_span(widths)}, height {_span(heights)} pixels ({looked} looked "
        "at)"
    )


def _span(lengths: Sequence[int]) -> str:
    least, most = min(lengths), max(lengths)
    return str(least) if least == most else f"{least} to {most}"


def _size(path: Path) -> tuple[int, int]:
    """Width and height as stored; reads the head of the file only."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            return image.size
    except Exception as error:  # see `read_rgb`
        raise unreadable(path, error) from error
