"""What a trial leaves behind: weights, kept channels, what it says about every test image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from prunetune.records.record import Record, TrialSpec
from prunetune.records.store import Store, write_whole

WEIGHTS, OUTPUTS, KEPT, RECORD = (
    "weights.safetensors", "test_outputs.safetensors", "kept.json", "record.json"
)  # fmt: skip


def folder_of(spec: TrialSpec, store: Store) -> Path:
    """Where the trial's weights go: those of a dense network are shared between sweeps."""
    return store.dense_dir(spec.key) if spec.phase == "dense" else store.trial_dir(spec.key)


def save(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    """Write tensors as safetensors, whole."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_whole(path, safetensors.torch.save(plain))


def shared_dense(spec: TrialSpec, store: Store) -> dict[str, Any] | None:
    """What another sweep found out about this dense network: all of its record, nothing spent.

    What loaded weights have behind them is what this sweep's file says, for their key does not.
    """
    folder = store.dense_dir(spec.key)
    if not (folder / RECORD).exists() or not (folder / WEIGHTS).exists():
        return None
    record = Record.model_validate_json((folder / RECORD).read_bytes())
    report = record.model_dump(exclude={"sweep", "key", "ended_at"})
    if record.sweep == spec.sweep:  # our own, whose record a crash prevented
        return report
    macs, inherited = record.train_macs, spec.inherited_macs
    total = macs.total - macs.inherited + inherited
    ours = macs.model_copy(update={"inherited": inherited, "total": total, "spent": 0})
    return {**report, "train_macs": ours, "wall_s": {"total": 0.0}}
