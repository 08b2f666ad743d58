"""What a trial leaves behind: weights, kept channels, what it says about every test image."""

from __future__ import annotations

from typing import Any

import safetensors.torch
import torch

from prunetune.records.files import StoredFile
from prunetune.records.folders import NetworkFolder
from prunetune.records.record import Record, TrialSpec
from prunetune.records.store import Store


def folder_of(spec: TrialSpec, store: Store) -> NetworkFolder:
    """Where the trial's network goes. Sweeps share dense networks, so these have other folders."""
    if spec.phase == "dense":
        return store.dense_folder(spec.key)
    return store.trial_folder(spec.key)


def save(file: StoredFile, tensors: dict[str, torch.Tensor]) -> None:
    """Write tensors as safetensors."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    file.write(safetensors.torch.save(plain))


def shared_dense(spec: TrialSpec, store: Store) -> dict[str, Any] | None:
    """What another sweep found out about this dense network: all of its record, nothing spent.

    What loaded weights have behind them is what this sweep's file says, for their key does not.
    """
    folder = store.dense_folder(spec.key)
    if not folder.is_complete():
        return None
    record = Record.model_validate_json(folder.record.read())
    report = record.model_dump(exclude={"sweep", "key", "ended_at"})
    if record.sweep == spec.sweep:  # our own, whose record a crash prevented
        return report
    macs, inherited = record.train_macs, spec.inherited_macs
    total = macs.total - macs.inherited + inherited
    ours = macs.model_copy(update={"inherited": inherited, "total": total, "spent": 0})
    return {**report, "train_macs": ours, "wall_s": {"total": 0.0}}
