"""A data set of a user's: known before any image is opened, split by us, refused in words."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from PIL import Image

from prunetune.config.problems.errors import SpecError
from prunetune.data.files import CorruptDataError
from prunetune.data.items import read_items
from prunetune.data.own_dataset import OwnDataset, OwnDatasetParams
from prunetune.plan import Plan
from prunetune.sweep import plan_sweep
from prunetune.testing import check_dataset
from prunetune.workload import Workload
from tests.plugins.own_code import beside, copied

OWN = Path(__file__).with_name("own_data")
CPU = torch.device("cpu")
PARAMS = {
    "class": "shapes.Shapes", "train": {"train": True}, "test": {"train": False},
    "val_fraction": 0.2,
}  # fmt: skip
ON_DISK = """
import json, pathlib
import numpy as np

class Saved:
    def __init__(self, root, part):
        self.images = np.load(pathlib.Path(root) / f"{part}.npy")
        self.classes = ["even", "odd"]
    def __len__(self):
        return len(self.images)
    def __getitem__(self, index):
        return self.images[index], index % 2
"""


def planned(folder: Path, *overrides: str) -> Plan:
    with beside(folder):
        return plan_sweep(folder / "sweep.yaml", overrides=overrides)


def test_it_keeps_the_laws_of_every_data_set() -> None:
    with beside(OWN):
        sys.path.append(str(OWN))
        import shapes  # noqa: F401 - importing it reads its file, which info must not

        check_dataset("dataset", PARAMS)


def test_planning_opens_no_image_where_the_class_tells() -> None:
    with beside(OWN):
        sys.path.append(str(OWN))
        import shapes

        with patch.object(shapes.Shapes, "__init__", side_effect=AssertionError):
            plan = plan_sweep(OWN / "sweep.yaml")
    assert (plan.train_size, plan.val_size, plan.test_size) == (108, 12, 30)
    assert plan.dense.architecture["classes"] == 3
    assert plan.plugins == ("shapes",)


def test_a_worker_opens_what_was_planned() -> None:
    with beside(OWN):
        plan = plan_sweep(OWN / "sweep.yaml")
        splits = Workload.from_json(plan.workload).open(CPU, download=False)
        images, labels = next(splits.test().batches(30))
    assert images.shape == (30, 1, 8, 8)
    assert labels.tolist() == [i % 3 for i in range(30)]


def test_class_arguments_and_code_are_part_of_the_key(tmp_path: Path) -> None:
    folder = copied(tmp_path / "own", OWN).parent
    keys = [planned(folder).data_key]
    for changed in ("args.noise=0.4", "train.noise=0.1", "val_fraction=0.2", "mean=[0.4]"):
        keys.append(planned(folder, f"workload.dataset.dataset.{changed}").data_key)
    text = (folder / "shapes.py").read_text()
    (folder / "shapes.py").write_text(text.replace("2:6, 2:6", "1:6, 1:6"))
    keys.append(planned(folder).data_key)
    assert len(set(keys)) == len(keys)


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OwnDatasetParams:
    """A class that tells nothing before an object is made, with its images in files."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "saved.py").write_text(ON_DISK)
    (tmp_path / "data").mkdir()
    for part, count in (("train", 20), ("test", 6)):
        pixels = np.random.default_rng(0).integers(0, 256, (count, 5, 6, 3), dtype=np.uint8)
        np.save(tmp_path / "data" / f"{part}.npy", pixels)
    monkeypatch.syspath_prepend(tmp_path / "code")
    monkeypatch.delitem(sys.modules, "saved", raising=False)
    return OwnDatasetParams.model_validate(
        {"class": "saved.Saved", "root": str(tmp_path / "data"), "val_fraction": 0.25}
        | {part: {"part": part} for part in ("train", "test")}
    )


def test_what_the_class_does_not_tell_its_objects_are_asked(saved: OwnDatasetParams) -> None:
    info = OwnDataset(saved).info()
    assert info.shape == (3, 5, 6)
    assert (info.classes, info.train_size, info.val_size, info.test_size) == (2, 15, 5, 6)
    assert OwnDataset(saved).open(0, CPU, False).train.images.pixels.shape == (15, 5, 6, 3)


def test_the_content_of_root_is_part_of_the_digest_and_its_place_is_not(
    saved: OwnDatasetParams, tmp_path: Path
) -> None:
    before = OwnDataset(saved).digest()
    (tmp_path / "data").rename(tmp_path / "moved")
    moved = saved.model_copy(update={"root": str(tmp_path / "moved")})
    assert OwnDataset(moved).digest() == before
    file = tmp_path / "moved" / "test.npy"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1  # as large as before
    file.write_bytes(data)
    assert OwnDataset(moved).digest() != before


@pytest.mark.parametrize(
    ("changed", "place", "message"),
    [
        ("class=shapes.Shape", "dataset.class", "did you mean shapes.Shapes?"),
        ("train.tran=1", "dataset.args", "unexpected keyword argument 'tran'"),
        ("root=nowhere", "", "there is nothing at "),
        ("train_limit=1000", "", "train_limit: got 1000, there are 108 training images"),
        ("class=shapes.torch.zeros", "dataset.class", "cannot be imported: ModuleNotFoundError"),
    ],
)
def test_a_wrong_data_set_is_refused_at_its_place(
    changed: str, place: str, message: str, tmp_path: Path
) -> None:
    folder = copied(tmp_path / "own", OWN).parent
    text = (folder / "shapes.py").read_text()
    (folder / "shapes.py").write_text(text.replace("    train_size = 120\n", "", 1))
    (folder / "shapes.py").write_text(
        (folder / "shapes.py").read_text().replace("self.train_size if train", "120 if train")
    )
    with pytest.raises(SpecError) as error:
        planned(folder, f"workload.dataset.dataset.{changed}")
    problem = error.value.problems[0]
    where = ".".join(map(str, problem.path)).removeprefix("workload.dataset")
    assert where == (f".{place}" if place else "")
    assert message in problem.message


PIXELS = np.random.default_rng(1).integers(0, 256, (4, 5, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    "form",
    [
        lambda pixels: pixels,
        lambda pixels: torch.from_numpy(pixels).permute(2, 0, 1),
        lambda pixels: torch.from_numpy(pixels).permute(2, 0, 1) / 255,
        lambda pixels: Image.fromarray(pixels),
        lambda pixels: pixels.astype(np.float64) / 255,
    ],
)
def test_every_usual_form_of_an_image_gives_the_same_pixels(form: Callable[[Any], Any]) -> None:
    images = read_items([(form(PIXELS), 1)], "mine", (3, 4, 5), 2)
    assert torch.equal(images.pixels[0], torch.from_numpy(PIXELS))
    assert images.labels.tolist() == [1]


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ((PIXELS.astype(np.float32), 0), r"values from \d+ to \d+; allowed: 0 to 1, or uint8"),
        ((PIXELS.astype(np.int32), 0), "is torch.int32"),
        ((PIXELS[:3], 0), r"has the shape \(3, 5, 3\); allowed: \(3, 4, 5\), or \(4, 5, 3\)"),
        (("text", 0), "is a str, no image"),
        ((PIXELS, 2), "has the label 2; allowed: 0 to 1"),
        ((PIXELS, 0.5), "has the label 0.5"),
        ((PIXELS, None), "has the label None"),
        (PIXELS, r"allowed: a pair \(image, label\)"),
    ],
)
def test_what_is_no_item_is_refused_by_its_number(item: Any, message: str) -> None:
    with pytest.raises(CorruptDataError, match=rf"^mine: (image|item) 1 .*{message}"):
        read_items([(PIXELS, 0), item], "mine", (3, 4, 5), 2)


def test_augmentation_inside_a_data_set_is_refused() -> None:
    class Random:
        def __len__(self) -> int:
            return 1

        def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
            return torch.rand(3, 4, 5), 0

    with pytest.raises(CorruptDataError, match="another one each time; leave augmentation to"):
        read_items(Random(), "mine", (3, 4, 5), 2)
