"""Files of published data sets: missing, corrupt, downloaded and real ones."""

from __future__ import annotations

import gzip
import hashlib
import pickle
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision

from prunetune.data import cifar, fashion_mnist
from prunetune.data.dataset import DatasetParams
from prunetune.data.files import CorruptDataError, DataMissingError, data_root

from .conftest import CPU, made, seeded

PUBLISHED = ["cifar10", "cifar100", "fashion_mnist"]


def test_roots_are_looked_for_in_order(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PRUNETUNE_DATA", str(tmp_path / "env"))
    assert data_root(str(tmp_path / "given")) == tmp_path / "given"
    assert data_root(None) == tmp_path / "env"
    monkeypatch.delenv("PRUNETUNE_DATA")
    assert data_root(None) == tmp_path / "cache" / "prunetune"


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_missing_file_is_named_with_its_source(name, tmp_path):
    with pytest.raises(DataMissingError) as caught:
        made(name, root=str(tmp_path)).open(0, CPU, False)
    message = str(caught.value)
    assert f"{name}: no file {tmp_path}" in message
    assert "http" in message


def files_of(name: str) -> tuple[Path, list[str]]:
    dataset = made(name)
    folder = fashion_mnist.FOLDER if name == "fashion_mnist" else Path(dataset.folder)
    return folder, list(dataset.sums)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_wrong_checksum_is_refused_by_name_and_the_file_left_alone(name, tmp_path):
    folder, files = files_of(name)
    (tmp_path / folder).mkdir(parents=True)
    for file in files:
        (tmp_path / folder / file).write_bytes(pickle.dumps("foreign"))
    for download in (False, True):
        with pytest.raises(CorruptDataError, match=f"{files[0]}: MD5 is .*, published is"):
            made(name, root=str(tmp_path)).open(0, CPU, download)
    assert pickle.loads((tmp_path / folder / files[0]).read_bytes()) == "foreign"


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_cifar_checksums_are_torchvisions(name):
    ours = made(name)
    theirs = getattr(torchvision.datasets, name.upper())
    assert ours.sums == dict([*theirs.train_list, *theirs.test_list])
    assert ours.folder == theirs.base_folder
    assert ours.archive == (theirs.url, theirs.tgz_md5)


def test_fashion_mnist_checksums_are_torchvisions():
    theirs = torchvision.datasets.FashionMNIST
    assert made("fashion_mnist").sums == dict(theirs.resources)
    assert fashion_mnist.MIRROR in theirs.mirrors


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


def tiny_cifar(source: Path) -> type[cifar.Cifar]:
    """CIFAR-10 of 40 + 10 images, published as an archive in `source`."""
    folder = source / cifar.Cifar10.folder
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for file in cifar.Cifar10.sums:
        n = 10 if file == "test_batch" else 8
        data = rng.integers(0, 256, (n, 3072), dtype=np.uint8)
        content = {"data": data, "labels": [i % 2 for i in range(n)]}
        (folder / file).write_bytes(pickle.dumps(content))
    archive = source / "tiny.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, folder.name)

    class Tiny(cifar.Cifar10):
        whole = replace(cifar.Cifar10.whole, classes=2, train_size=40, test_size=10)
        sums = {file: md5(folder / file) for file in cifar.Cifar10.sums}  # noqa: RUF012
        archive = (f"file://{source}/tiny.tar.gz", md5(source / "tiny.tar.gz"))

    return Tiny


def test_what_is_missing_is_downloaded_and_read(tmp_path):
    kind = tiny_cifar(tmp_path / "source")
    root = tmp_path / "root"
    splits = kind(DatasetParams(root=str(root))).open(0, CPU, True)
    assert (len(splits.train), len(splits.val), len(splits.test())) == (36, 4, 10)
    assert sorted(f.name for f in root.iterdir()) == [kind.folder]
    first = pickle.loads((root / kind.folder / "test_batch").read_bytes())["data"][0]
    x, _ = next(splits.test().batches(1))
    planes = torch.from_numpy(first).view(1, 3, 32, 32)
    assert torch.equal(x, splits.test().normalise(planes))


def test_a_failed_download_says_what_to_put_where(tmp_path):
    kind = tiny_cifar(tmp_path / "source")
    (tmp_path / "source" / "tiny.tar.gz").unlink()
    with pytest.raises(DataMissingError, match=r"tiny\.tar\.gz: .*put its content into .*root"):
        kind(DatasetParams(root=str(tmp_path / "root"))).open(0, CPU, True)


def test_a_download_with_a_wrong_checksum_is_refused_by_name(tmp_path):
    kind = tiny_cifar(tmp_path / "source")
    (tmp_path / "source" / "tiny.tar.gz").write_bytes(b"a page that says to log in")
    with pytest.raises(CorruptDataError, match=r"tiny\.tar\.gz: MD5 is"):
        kind(DatasetParams(root=str(tmp_path / "root"))).open(0, CPU, True)
    assert not (tmp_path / "root").exists()


def test_fashion_mnist_is_read_packed_and_unpacked_alike(tmp_path, monkeypatch):
    folder = tmp_path / fashion_mnist.FOLDER
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in fashion_mnist.UNPACKED:
        body = rng.integers(0, 10, 12 * (784 if "images" in name else 1), dtype=np.uint8)
        header = bytes(16 if "images" in name else 8)
        (folder / name).write_bytes(header + body.tobytes())
        (folder / f"{name}.gz").write_bytes(gzip.compress(header + body.tobytes()))

    class Tiny(fashion_mnist.FashionMnist):
        sums = {f.name: md5(f) for f in folder.glob("*.gz")}  # noqa: RUF012

    sums = {name: md5(folder / name) for name in fashion_mnist.UNPACKED}
    monkeypatch.setattr(fashion_mnist, "UNPACKED", sums)
    unpacked = Tiny(DatasetParams()).load(tmp_path, train=True)
    for name in sums:
        (folder / name).unlink()
    packed = Tiny(DatasetParams()).load(tmp_path, train=True)
    assert unpacked.pixels.shape == (12, 28, 28, 1)
    assert torch.equal(unpacked.pixels, packed.pixels)
    assert torch.equal(unpacked.labels, packed.labels)


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_real_data_has_the_statistics_that_are_declared(name, real):
    splits = made(name, root=real).open(0, CPU, False)
    assert (len(splits.train), len(splits.val)) == (splits.info.train_size, splits.info.val_size)
    x = torch.cat([x for x, _ in splits.train.sample(5000, seeded(0))])
    assert x.mean((0, 2, 3)).abs().max() < 0.03
    assert (x.std((0, 2, 3)) - 1).abs().max() < 0.03
    counts = torch.bincount(torch.cat([y for _, y in splits.val.batches(500)]))
    assert counts.unique().tolist() == [splits.info.val_size // splits.info.classes]


@pytest.mark.slow
def test_real_cifar_is_what_torchvision_reads(real):
    test = made("cifar10", root=real).open(0, CPU, False).test()
    theirs = torchvision.datasets.CIFAR10(real, train=False)
    assert torch.equal(test.images.pixels, torch.from_numpy(theirs.data))
    assert test.images.labels.tolist() == theirs.targets
