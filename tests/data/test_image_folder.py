from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from prunetune.config.parts import Named
from prunetune.config.recipe import Augment
from prunetune.data.decode import Geometry
from prunetune.data.files import CorruptDataError, DataMissingError
from prunetune.workload import Workload

from .conftest import CPU, made, seeded

CLASSES = {"ant": 12, "bee": 8, "cat": 10}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Images of many sizes, some grey, some PNG, one class nested."""
    root = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for part, share in (("train", 1), ("val", 0.5)):
        for name, n in CLASSES.items():
            class_folder = root / part / name / ("images" if name == "cat" else "")
            class_folder.mkdir(parents=True)
            for i in range(int(n * share)):
                height, width = rng.integers(20, 60, 2)
                shape = (height, width) if i == 3 else (height, width, 3)
                pixels = rng.integers(0, 256, shape, dtype=np.uint8)
                suffix = "png" if i == 4 else "JPEG"
                Image.fromarray(pixels).save(class_folder / f"{i}.{suffix}")
            (class_folder / "notes.txt").write_text("not an image")
    return root


def opened(root: Path, workers: int = 0, **params):
    return made("image_folder", root=str(root), size=16, workers=workers, **params)


def test_info_and_labels_come_from_names(folder):
    dataset = opened(folder)
    info = dataset.info()
    assert info.shape == (3, 16, 16)
    assert (info.classes, info.train_size, info.val_size, info.test_size) == (3, 27, 3, 15)
    splits = dataset.open(0, CPU, False)
    test = torch.cat([y for _, y in splits.test().batches(4)])
    assert test.tolist() == [0] * 6 + [1] * 4 + [2] * 5
    val = torch.cat([y for _, y in splits.val.batches(4)])
    assert torch.bincount(val).tolist() == [1, 1, 1]
    assert len(splits.train) + len(splits.val) == sum(CLASSES.values())


def test_a_workload_opens_after_its_network_was_looked_at(folder):
    """Whoever builds the network first does so without memory for its weights."""
    params = {"root": str(folder), "size": 16, "workers": 0}
    workload = Workload(Named(name="resnet14"), Named(name="image_folder", params=params), 0)
    assert workload.n_params > 0
    splits = workload.open(CPU, download=False)
    assert {y.device for _, y in splits.val.batches(4)} == {CPU}


def test_plain_images_are_the_middle_resized(folder):
    splits = opened(folder, center=1.0).open(0, CPU, False)
    x, _ = next(splits.test().batches(15))
    assert x.dtype == torch.float32
    assert x.is_contiguous(memory_format=torch.channels_last)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (splits.info.mean, splits.info.std))
    for got, path in zip(x, splits.test().files.paths, strict=True):
        image = Image.open(path).convert("RGB")
        side = min(image.size)
        left, top = ((length - side) / 2 for length in image.size)
        box = (left, top, left + side, top + side)
        resized = np.array(image.resize((16, 16), Image.Resampling.BILINEAR, box=box))
        expected = (torch.from_numpy(resized).permute(2, 0, 1) / 255 - mean) / std
        torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


def epoch(root: Path, workers: int = 0, order: int = 1, augmentation: int = 2, **augment):
    train = opened(root, workers).open(0, CPU, False).train
    batches = list(train.epoch(8, Augment(**augment), seeded(order), seeded(augmentation)))
    assert [len(y) for _, y in batches] == [8, 8, 8]
    return torch.cat([x for x, _ in batches]), torch.cat([y for _, y in batches])


@pytest.mark.parametrize("augment", [{}, {"crop": 3, "cutout": 5}, {"crop": 0, "flip": False}])
def test_an_epoch_is_the_same_for_any_number_of_workers(folder, augment):
    (x, y), (same_x, same_y) = epoch(folder, 0, **augment), epoch(folder, 2, **augment)
    assert torch.equal(x, same_x)
    assert torch.equal(y, same_y)


def test_two_generators_decide_an_epoch(folder):
    x, y = epoch(folder)
    other_x, other_y = epoch(folder, augmentation=3)
    assert torch.equal(y, other_y)
    assert not (x == other_x).flatten(1).all(1).any()
    assert not torch.equal(y, epoch(folder, order=4)[1])


def test_without_augmentation_an_epoch_permutes_the_plain_images(folder):
    x, _ = epoch(folder, crop=0, flip=False)
    plain = torch.cat([x for x, _ in opened(folder).open(0, CPU, False).train.batches(50)])
    order = torch.randperm(len(plain), generator=seeded(1))[:24]
    assert torch.equal(x, plain[order])


def test_flips_and_crops_are_drawn_per_image(folder):
    plain, _ = epoch(folder, crop=0, flip=False)
    flipped, _ = epoch(folder, crop=0, flip=True)
    same = (flipped == plain).flatten(1).all(1)
    mirrored = (flipped == plain.flip(3)).flatten(1).all(1)
    assert (same | mirrored).all()
    assert 0 < mirrored.sum() < len(plain)


def test_a_sample_is_seeded_and_plain(folder):
    train = opened(folder).open(0, CPU, False).train
    x, _ = next(train.sample(10, seeded(5)))
    plain = torch.cat([x for x, _ in train.batches(50)])
    assert torch.equal(x, plain[torch.randperm(len(plain), generator=seeded(5))[:10]])


def test_nothing_is_drawn_from_the_global_generator(folder):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    epoch(folder, 1)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("size", [(50, 50), (300, 20), (20, 300)])
def test_random_crops_lie_inside_and_have_the_stated_areas(size):
    geometry, generator = Geometry(16, 0.875, 0.25), seeded(0)
    width, height = size
    areas = []
    for _ in range(500):
        left, top, right, bottom = geometry.random(width, height, generator)
        assert 0 <= left < right <= width + 1e-9
        assert 0 <= top < bottom <= height + 1e-9
        if (left, top, right, bottom) != geometry.middle(width, height):
            assert 0.75 - 1e-9 <= (right - left) / (bottom - top) <= 4 / 3 + 1e-9
            areas.append((right - left) * (bottom - top) / (width * height))
    if width == height:
        assert 0.25 <= min(areas) < 0.3
        assert 0.9 < max(areas) <= 1


def copy(folder: Path, root: Path, **parts: str) -> Path:
    for name, source in parts.items():
        for path in (folder / source).rglob("*.*"):
            target = root / name / path.relative_to(folder / source)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    return root


def test_the_digest_follows_names_and_sizes_alone(folder, tmp_path):
    digest = opened(folder).digest()
    moved = copy(folder, tmp_path, train="train", val="val")
    assert opened(moved, workers=3).digest() == digest
    image = moved / "train" / "ant" / "0.JPEG"
    image.write_bytes(image.read_bytes() + b"\0")
    changed = opened(moved).digest()
    image.rename(image.with_name("00.JPEG"))
    digests = {digest, changed, opened(moved).digest(), opened(folder, center=0.5).digest()}
    assert len(digests) == 4


def test_a_test_folder_comes_before_val(folder, tmp_path):
    root = copy(folder, tmp_path, train="val", val="val", test="train")
    assert opened(root).info().test_size == sum(CLASSES.values())


def test_what_is_missing_is_named(folder, tmp_path):
    with pytest.raises(DataMissingError, match=f"put a folder of images per class in {tmp_path}"):
        opened(tmp_path).info()
    copy(folder, tmp_path, train="train")
    with pytest.raises(DataMissingError, match=r"no test images; .*test or in .*val"):
        opened(tmp_path).info()
    (tmp_path / "val" / "dog").mkdir(parents=True)
    with pytest.raises(ValueError, match="class 'dog' is not among those of train/"):
        opened(tmp_path).info()
    (tmp_path / "val" / "dog").rename(tmp_path / "val" / "ant")
    with pytest.raises(DataMissingError, match="no images in the class folders"):
        opened(tmp_path).info()


@pytest.mark.parametrize("workers", [0, 1])
def test_a_broken_image_is_refused_by_name(folder, tmp_path, workers):
    root = copy(folder, tmp_path, train="train", val="val")
    image = root / "val" / "bee" / "1.JPEG"
    image.write_bytes(image.read_bytes()[:200])
    test = opened(root, workers).open(0, CPU, False).test()
    with pytest.raises(
        CorruptDataError, match=r"bee/1\.JPEG: cannot be read as an image"
    ) as caught:
        list(test.batches(8))
    assert "\n" not in str(caught.value)
    image.unlink()
    with pytest.raises(CorruptDataError, match=r"^\S*bee/1\.JPEG: .*No such file"):
        list(test.batches(8))
