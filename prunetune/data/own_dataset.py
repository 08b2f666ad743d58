"""`dataset`: any `torch.utils.data.Dataset` of the user's, by its class and arguments.

Planning opens no image: shape, classes and sizes come from the parameters, or from attributes of
the class. Only where neither tells, an object is made and asked, and its first image is looked at.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field

from prunetune.data.content import content_of
from prunetune.data.dataset import DatasetInfo, DatasetParams, Splits
from prunetune.data.files import CorruptDataError, DataMissingError
from prunetune.data.items import read_items, shape_of
from prunetune.data.resident import Images, resident_splits
from prunetune.protocols import Shape
from prunetune.records.key import canonical, digest
from prunetune.registry import datasets
from prunetune.user_code.find import ClassError
from prunetune.user_code.params import ClassParams

Size = Annotated[int | None, Field(ge=1, description="null: the class tells, or its objects")]


class OwnDatasetParams(DatasetParams, ClassParams):
    """Class and arguments of a data set of your own, and the facts that the class does not tell."""

    train: Annotated[
        dict[str, Any], Field(description="arguments for the training images alone")
    ] = {}  # noqa: RUF012
    test: Annotated[dict[str, Any], Field(description="arguments for the test images alone")] = {}  # noqa: RUF012
    root: Annotated[
        str | None,
        Field(
            description="folder or file that the class gets as its argument `root`, and whose "
            "content enters the key; null: it gets none"
        ),
    ] = None
    shape: Annotated[
        Shape | None, Field(description="channels, height, width; null: the class tells")
    ] = None
    classes: Size = None
    train_size: Size = None
    test_size: Size = None


@datasets.register("dataset", params=OwnDatasetParams)
class OwnDataset:
    """Your own data set: any `torch.utils.data.Dataset` of pairs (image, label); kept in memory."""

    def __init__(self, params: OwnDatasetParams) -> None:
        self.params = params
        self._made: dict[str, Any] = {}

    def info(self) -> DatasetInfo:
        """The facts that parameters or the class state, else those of its objects; see `Dataset`.

        Raises:
            ClassError: the class cannot be had, or its objects do not tell.
            DataMissingError: there is nothing at `root`.
        """
        if self.params.root is not None and not Path(self.params.root).exists():
            raise DataMissingError(f"{self.params.class_}: there is nothing at {self.params.root}")
        stated = self._stated("shape")
        shape = shape_of(self._items("train"), self.params.class_) if stated is None else stated
        channels = shape[0]
        whole = DatasetInfo(
            shape=tuple(shape),
            classes=self._classes(),
            train_size=self._size("train"),
            val_size=0,
            test_size=self._size("test"),
            mean=self._stated("mean") or (0.5,) * channels,
            std=self._stated("std") or (0.25,) * channels,
            crop=self._stated("crop") or 0,
            flip=bool(self._stated("flip")),
        )
        return self.params.apply(whole)

    def digest(self) -> str:
        """A hash of code, arguments and the content of `root`; see `Dataset`."""
        pinned = self.params if self.params.digest else self.params.pinned()
        content = content_of(Path(pinned.root)) if pinned.root is not None else None
        return digest({"name": "dataset", "content": content, **pinned.identity()})

    def open(self, seed: int, device: torch.device, download: bool) -> Splits:
        """The splits on `device`; this process keeps them for its next trial; see `Dataset`."""
        return _open(canonical(self.params.model_dump(mode="json")), seed, device)

    def found(self) -> tuple[str, ...]:
        """How much memory the images take; see `Finder`."""
        info = self.info()
        n_images = info.train_size + info.val_size + info.test_size
        size = n_images * info.shape[0] * info.shape[1] * info.shape[2]
        return (f"images are kept in memory with 8 bits a value: {size / 2**20:,.1f} MiB",)

    def load(self, part: str) -> Images:
        """All images of the part `train` or `test`, on the CPU.

        Raises:
            CorruptDataError: there are others than `info` says, or one is no image.
        """
        items, size = self._items(part), self._size(part)
        if len(items) != size:
            who = f"{self.params.class_}, {part}"
            raise CorruptDataError(f"{who}: has {len(items)} images, and {size} were stated")
        return read_items(
            items, f"{self.params.class_}, {part}", self.info().shape, self._classes()
        )

    def _stated(self, name: str) -> Any:
        """A fact that the parameters or the class state; None if neither does."""
        stated = getattr(self.params, name, None)
        return getattr(self.params.found(), name, None) if stated is None else stated

    def _classes(self) -> int:
        told = self._stated("classes")
        if told is None:
            told = getattr(self._items("train"), "classes", None)
        if isinstance(told, list | tuple):  # their names, as in torchvision
            return len(told)
        if not isinstance(told, int):
            message = f"{self.params.class_} does not tell how many classes it has"
            raise ClassError(message, "classes")
        return told

    def _size(self, part: str) -> int:
        stated = self._stated(f"{part}_size")
        return len(self._items(part)) if stated is None else int(stated)

    def _items(self, part: str) -> Any:
        """The object of the class that has the images of a part, made when first asked for."""
        if part not in self._made:
            self._made[part] = self._new(part)
        return self._made[part]

    def _new(self, part: str) -> Any:
        params = self.params
        root = {} if params.root is None else {"root": params.root}
        items = params.made(**root, **getattr(params, part))
        if not (hasattr(items, "__len__") and hasattr(items, "__getitem__")):
            raise ClassError(
                f"{params.class_} makes no data set whose items have numbers and a length, but "
                f"{type(items).__name__}"
            )
        return items


@lru_cache(maxsize=2)
def _open(params: str, seed: int, device: torch.device) -> Splits:
    dataset = OwnDataset(OwnDatasetParams.model_validate_json(params))
    images = dataset.load("train")
    return resident_splits(dataset.info(), images, lambda: dataset.load("test"), seed, device)
