"""Images in one folder per class, as ImageNet has them: train/<class>/… and test/ or val/."""

from __future__ import annotations

from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, ClassVar

import torch
from pydantic import Field

from prunetune.data.dataset import DatasetInfo, DatasetParams, Splits
from prunetune.data.decode import Geometry, ImageFiles
from prunetune.data.files import DataMissingError
from prunetune.data.folders import IMAGE_SUFFIXES, Listing, class_names, list_images
from prunetune.data.found import found_in_folders
from prunetune.data.split import split
from prunetune.data.stream import StreamSplit
from prunetune.records.key import digest
from prunetune.records.user_path import user_path
from prunetune.registry import datasets


class ImageFolderParams(DatasetParams):
    """Where the images are, and which part of each image is used."""

    root: Annotated[str, Field(description="folder that holds train/ and test/ (or val/)")]
    size: Annotated[int, Field(ge=1, description="height and width fed to the network")] = 224
    center: Annotated[
        float,
        Field(gt=0, le=1, description="share of the shorter side that is kept when not augmenting"),
    ] = 0.875
    min_area: Annotated[
        float,
        Field(gt=0, le=1, description="smallest share of the image in a random resized crop"),
    ] = 0.08
    workers: Annotated[int, Field(ge=0, description="processes that decode images")] = 4

    reading_only: ClassVar[frozenset[str]] = frozenset({"root", "workers"})


@datasets.register("image_folder", params=ImageFolderParams)
class ImageFolder:
    """Your own images: a folder per class under train/ and under test/ (or val/)."""

    def __init__(self, params: ImageFolderParams) -> None:
        self.params = params
        self.root = user_path(params.root).resolve()

    def info(self) -> DatasetInfo:
        """Classes and sizes from file names, mean and std of ImageNet; see `Dataset`."""
        whole = DatasetInfo(
            shape=(3, self.params.size, self.params.size),
            classes=len(self.classes),
            train_size=len(self.train_files.paths),
            val_size=0,
            test_size=len(self.test_files.paths),
            mean=(0.485, 0.456, 0.406),
            std=(0.229, 0.224, 0.225),
            crop=None,
            flip=True,
        )
        return self.params.apply(whole)

    def digest(self) -> str:
        """A hash of the names and sizes of all files, and of the parameters; see `Dataset`."""
        paths = (*self.train_files.paths, *self.test_files.paths)
        files = [(path.relative_to(self.root).as_posix(), path.stat().st_size) for path in paths]
        return digest({"name": "image_folder", "files": files, **self.params.identity()})

    def open(self, seed: int, device: torch.device, download: bool) -> Splits:
        """The splits, streamed to `device`; nothing is downloaded; see `Dataset`."""
        info = self.info()
        train, val = split(self.train_files.labels, info.train_size, info.val_size, seed)

        def stream(files: ImageFiles) -> StreamSplit:
            geometry = Geometry(self.params.size, self.params.center, self.params.min_area)
            return StreamSplit(files, info, geometry, self.params.workers, device)

        return Splits(
            info=info,
            train=stream(self.train_files.take(train)),
            val=stream(self.train_files.take(val)),
            test=cache(lambda: stream(self.test_files)),
        )

    def found(self) -> tuple[str, ...]:
        """What lies in the folders, in words, with the sizes of some images; see `Finder`."""
        return found_in_folders(self.train_listing, self.test_listing, self.params.size)

    @cached_property
    def classes(self) -> dict[str, int]:
        """Class -> label: the folders under train/, numbered in alphabetical order."""
        train = self.root / "train"
        names = class_names(train)
        if not names:
            raise DataMissingError(f"image_folder: put a folder of images per class in {train}")
        if len(names) == 1:
            raise ValueError(f"{train}: has one class only, {names[0]!r}; allowed: two or more")
        return {name: label for label, name in enumerate(names)}

    @cached_property
    def train_listing(self) -> Listing:
        """What lies under train/."""
        return self._list(self.root / "train", tuple(self.classes))

    @cached_property
    def test_listing(self) -> Listing:
        """What lies under test/ or, if that folder is missing or has no labels, under val/.

        A folder that has images, or one folder of them that bears the name of no class, has no
        labels: so ImageNet and others publish their test images.
        """
        folders = [self.root / "test", self.root / "val"]
        folder = next((f for f in folders if f.is_dir()), None)
        if folder is None:
            raise DataMissingError(
                f"image_folder: no test images; put a folder per class in {folders[0]} or in "
                f"{folders[1]}"
            )
        names = class_names(folder)
        if len(names) < 2 and not {*names} & {*self.classes} and class_names(folders[1]):
            folder, names = folders[1], class_names(folders[1])
        if unknown := sorted({*names} - {*self.classes}):
            raise ValueError(f"{folder}: class {unknown[0]!r} is not among those of train/")
        return self._list(folder, tuple(names))

    @cached_property
    def train_files(self) -> ImageFiles:
        """All images under train/."""
        return self._files(self.train_listing)

    @cached_property
    def test_files(self) -> ImageFiles:
        """All images of `test_listing`."""
        return self._files(self.test_listing)

    def _files(self, listing: Listing) -> ImageFiles:
        labels = [self.classes[name] for name, paths in listing.images.items() for _ in paths]
        paths = tuple(path for paths in listing.images.values() for path in paths)
        return ImageFiles(paths, torch.tensor(labels))

    @staticmethod
    def _list(folder: Path, names: tuple[str, ...]) -> Listing:
        listing = list_images(folder, names)
        empty = [name for name, paths in listing.images.items() if not paths]
        if len(empty) == len(names):
            raise DataMissingError(f"image_folder: no images in the class folders of {folder}")
        if empty:
            raise DataMissingError(
                f"{folder / empty[0]}: class {empty[0]!r} has no images; "
                f"allowed: files that end in {', '.join(IMAGE_SUFFIXES)}"
            )
        return listing
