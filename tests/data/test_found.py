from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from prunetune.data.files import CorruptDataError
from prunetune.data.found import what_was_found

from .conftest import made


def folder(root: Path) -> Path:
    for part, count in (("train", 8), ("val", 2)):
        for k, name in enumerate(("ant", "bee")):
            (root / part / name).mkdir(parents=True)
            for i in range(count):
                Image.new("RGB", (10 + i, 30 + k)).save(root / part / name / f"{i}.png")
    return root


def opened(root: Path):
    return made("image_folder", root=str(root), size=8, val_fraction=0.25)


def test_every_data_set_states_its_classes_and_sizes():
    (line,) = what_was_found(made("digits"))
    assert line == (
        "10 classes; 1,293 images to train on, 144 held out for validation, 360 for test; shown as "
        "1x8x8"
    )


def test_image_folders_state_sizes_and_what_was_passed_over(tmp_path):
    root = folder(tmp_path)
    (root / "test").mkdir()
    (root / "test" / "0.png").write_bytes(b"")
    (root / "train" / "ant" / "._0.png").write_bytes(b"")
    assert what_was_found(opened(root)) == (
        "2 classes; 12 images to train on, 4 held out for validation, 4 for test; shown as 3x8x8",
        "images in files: width 10 to 17, height 30 to 31 pixels (all looked at); each becomes 8x8 "
        "(`size: 8`)",
        f"test images: {root / 'val'}",
        f"not read: {root / 'test'}",
        f"skipped in {root / 'train'}: names that begin with a dot (1)",
    )


def test_a_class_without_a_test_folder_is_told(tmp_path):
    root = folder(tmp_path)
    (root / "val" / "bee").rename(root / "bee")
    assert "no test images of 'bee'" in what_was_found(opened(root))


def test_sizes_of_many_images_are_looked_at_here_and_there(tmp_path, monkeypatch):
    monkeypatch.setattr("prunetune.data.found._SIZED_IMAGES", 6)
    assert "(5 of 20 looked at)" in what_was_found(opened(folder(tmp_path)))[1]


def test_an_image_that_cannot_be_opened_is_named(tmp_path):
    broken = folder(tmp_path) / "train" / "bee" / "3.png"
    broken.write_bytes(b"")
    with pytest.raises(CorruptDataError, match=r"bee/3\.png: cannot be read as an image"):
        what_was_found(opened(tmp_path))
