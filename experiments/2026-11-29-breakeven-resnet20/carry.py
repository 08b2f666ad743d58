"""Carries a long sweep from one machine to the next, through the files beside this program.

    python carry.py out STORAGE     from a storage to these files: finished trials, dense networks
    python carry.py back STORAGE    from these files to a fresh storage, where the sweep goes on

A record stands for its trial, so a finished trial is never repeated. Trials that inherit weights
need the dense network of their seed. Of the outputs per test image, label and prediction are
carried: intervals for new images need them.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from prunetune.records.files import StoredFile
from prunetune.records.record import Record
from prunetune.records.store import Store

CARRIED = Path(__file__).parent / "carried"
"""Not where complete experiments have their records: half a sweep is no result."""
SWEEP = "breakeven-resnet20"
DENSE = ("weights.safetensors", "record.json")
"""The files of a dense network; the record is written last, since it says that all is there."""


def out(store: Store) -> None:
    """Copy what the sweep has finished from `store` to the files here."""
    (CARRIED / "records").mkdir(parents=True, exist_ok=True)
    for key, record in store.records().items():
        shutil.copyfile(store.record_file(key).path, CARRIED / "records" / f"{key}.json")
        if record.phase == "dense":
            for name in DENSE:
                _copy(store.dense_folder(key).path / name, CARRIED / "dense" / key / name)
        if outputs := store.test_outputs_of(record):
            _keep_predictions(outputs, CARRIED / "outputs" / f"{key}.safetensors")


def back(store: Store) -> None:
    """Copy the files here to `store`, which then continues the sweep."""
    for file in sorted((CARRIED / "dense").glob("*/*"), key=lambda path: DENSE.index(path.name)):
        _copy(file, store.dense_folder(file.parent.name).path / file.name)
    for file in (CARRIED / "records").glob("*.json"):
        record = Record.model_validate_json(file.read_bytes())
        outputs = CARRIED / "outputs" / f"{record.key}.safetensors"
        if record.test_outputs and outputs.exists():
            _copy(outputs, Path(str(store.storage)) / record.test_outputs)
        _copy(file, store.record_file(record.key).path)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _keep_predictions(outputs: StoredFile, target: Path) -> None:
    """Write labels and predictions as bytes: 20 kB in place of half a megabyte."""
    target.parent.mkdir(exist_ok=True)
    with safe_open(outputs.path, framework="np") as tensors:
        kept = {n: tensors.get_tensor(n).astype(np.uint8) for n in ("labels", "predicted")}
    save_file(kept, target)


if __name__ == "__main__":
    way, storage = sys.argv[1:]
    {"out": out, "back": back}[way](Store(storage, SWEEP))
