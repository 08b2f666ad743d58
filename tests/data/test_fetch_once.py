"""Processes that share a folder download a data set once."""

import multiprocessing
import time
from pathlib import Path

import pytest
import torch

from prunetune.data.dataset import DatasetParams
from prunetune.data.digits import Digits
from prunetune.data.files import DataMissingError


class Slow(Digits):
    """Digits that must be downloaded, which takes a moment and leaves a line."""

    def fetch(self, root: Path, may_download: bool) -> None:
        if (root / "there").exists():
            return
        if not may_download:
            raise DataMissingError(f"no file {root / 'there'}")
        with (root / "downloads").open("a") as log:
            log.write("begun\n")
        time.sleep(0.3)
        (root / "there").touch()


def open_it(root: Path) -> None:
    Slow(DatasetParams(root=str(root))).open(0, torch.device("cpu"), download=True)


def test_one_process_downloads_and_the_others_wait(tmp_path):
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=open_it, args=(tmp_path,)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0] * 4
    assert (tmp_path / "downloads").read_text() == "begun\n"


def test_what_is_there_needs_no_lock_and_what_may_not_be_fetched_is_missing(tmp_path):
    data = Slow(DatasetParams(root=str(tmp_path)))
    with pytest.raises(DataMissingError, match="no file"):
        data.open(0, torch.device("cpu"), download=False)
    (tmp_path / "there").touch()
    tmp_path.chmod(0o500)
    data.open(0, torch.device("cpu"), download=True)
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
