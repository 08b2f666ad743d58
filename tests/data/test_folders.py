"""Which images of a folder are read: nothing twice, and nothing left out in silence."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from prunetune.data.files import DataMissingError
from prunetune.data.folders import list_images

from .conftest import made


def put(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(path, format="PNG")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for part in ("train", "test"):
        for name in ("ant", "bee"):
            put(*(tmp_path / part / name / f"{i}.png" for i in range(4)))
    return tmp_path


def opened(root: Path):
    return made("image_folder", root=str(root), size=8, workers=0, val_fraction=0.5)


@pytest.mark.parametrize(
    "name", [".ipynb_checkpoints", "__MACOSX", "@eaDir", "#recycle", "lost+found"]
)
def test_what_file_systems_leave_behind_changes_nothing(root, name):
    info, digest = opened(root).info(), opened(root).digest()
    put(root / "train" / name / "0.png", root / "test" / name / "0.png")
    put(root / "train" / "ant" / name / "0.png", root / "train" / "ant" / "._0.png")
    (root / "train" / "ant" / "Thumbs.db").write_bytes(b"")
    assert opened(root).info() == info
    assert opened(root).digest() == digest
    assert sum(opened(root).train_listing.skipped.values()) == 4


def test_links_to_folders_are_followed(root, tmp_path_factory):
    far = tmp_path_factory.mktemp("far")
    put(far / "ant" / "8.png", far / "ant" / "deep" / "9.png")
    (root / "train" / "ant" / "more").symlink_to(far / "ant", target_is_directory=True)
    (root / "train" / "cat").symlink_to(far, target_is_directory=True)
    listing = list_images(root / "train", ("ant", "bee"))
    inside = root / "train" / "ant" / "more"
    assert {inside / "8.png", inside / "deep" / "9.png"} < {*listing.images["ant"]}
    assert len(listing.images["ant"]) == 6
    assert opened(root).info().classes == 3


def test_a_link_to_what_is_read_already_adds_nothing(root):
    ant, digest = root / "train" / "ant", opened(root).digest()
    (ant / "a_loop").symlink_to(ant, target_is_directory=True)
    (ant / "b_loop").symlink_to(root / "train", target_is_directory=True)
    put(root / "train" / "bee" / "z" / "5.png")
    (root / "train" / "bee" / "a").symlink_to(root / "train" / "bee" / "z")
    listing = list_images(root / "train", ("ant", "bee"))
    assert [len(paths) for paths in listing.images.values()] == [4, 5]
    assert root / "train" / "bee" / "z" / "5.png" in listing.images["bee"]
    assert opened(root).digest() != digest


@pytest.mark.parametrize("place", ["train/ant/9.png", "train/ant/more", "train/cat"])
def test_a_link_that_leads_nowhere_is_refused(root, place):
    (root / place).symlink_to(root / "gone")
    with pytest.raises(DataMissingError, match=f"{place}: is a link that leads nowhere"):
        opened(root).info()


def test_one_folder_cannot_be_two_classes(root):
    (root / "train" / "cat").symlink_to(root / "train" / "bee", target_is_directory=True)
    with pytest.raises(ValueError, match=r"cat: is the same folder as .*bee"):
        opened(root).info()


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_class_without_images_is_refused_by_name(root, part):
    for name in ("train", "test"):
        put(root / name / "cat" / "0.png")
    (root / part / "cat" / "0.png").rename(root / part / "cat" / "0.gif")
    with pytest.raises(DataMissingError, match=f"{part}/cat: class 'cat' has no images; allowed:"):
        opened(root).info()


def test_one_class_alone_is_refused(tmp_path):
    put(tmp_path / "train" / "ant" / "0.png", tmp_path / "test" / "ant" / "0.png")
    (tmp_path / "train" / "__MACOSX").mkdir()
    with pytest.raises(ValueError, match="train: has one class only, 'ant'"):
        opened(tmp_path).info()


@pytest.mark.parametrize("flat", ["test/0.png", "test/unknown/0.png", "test/.hidden/0.png"])
def test_val_is_used_where_test_has_no_labels(root, flat):
    (root / "test").rename(root / "val")
    expected = opened(root).digest()
    put(root / flat)
    assert opened(root).test_listing.folder == root / "val"
    assert opened(root).digest() == expected


def test_a_test_folder_without_labels_does_not_stand_alone(root):
    (root / "test").rename(root / "spare")
    put(root / "test" / "0.png")
    with pytest.raises(DataMissingError, match=r"no images in the class folders of .*test"):
        opened(root).info()


def test_all_that_is_skipped_is_counted(root):
    put(
        root / "train" / "loose.png",
        root / "train" / "ant" / "0.gif",
        root / "train" / "ant" / ".1",
    )
    (root / "train" / "ant" / "LICENSE").write_text("free")
    (root / "train" / "ant" / "again").symlink_to(root / "train" / "ant")
    assert opened(root).train_listing.skipped == {
        "images outside class folders": 1,
        "files that end in .gif": 1,
        "names that begin with a dot": 1,
        "files without a suffix": 1,
        "links to folders that are read already": 1,
    }
