"""What a trial leaves behind: weights, kept channels, and its outputs for every test image."""

from __future__ import annotations

import logging

import safetensors.torch
import torch
from pydantic import ValidationError

from prunetune.compress.method import CompactModel
from prunetune.records.files import StoredFile
from prunetune.records.record import Record, TrialSpec
from prunetune.records.record_builder import TrialReport
from prunetune.records.store import Store
from prunetune.train.checkpoint import CheckpointFile
from prunetune.trial.trainer import Trainer

_log = logging.getLogger(__name__)


def save(file: StoredFile, tensors: dict[str, torch.Tensor]) -> None:
    """Write tensors as safetensors."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    file.write(safetensors.torch.save(plain))


def judge(
    spec: TrialSpec,
    store: Store,
    trainer: Trainer,
    network: CompactModel,
    checkpoint: CheckpointFile,
) -> TrialReport:
    """Evaluate the trained network on the test set, and save its weights and outputs.

    Afterwards the network may have the weights of its best epoch.
    """
    model, folder, test = network.model, store.network_folder(spec), trainer.splits.test()
    last = trainer.evaluate(model, network.cost, test, outputs=True)
    assert last.log_probs is not None
    assert last.labels is not None
    save(folder.weights, model.state_dict())
    # Labels and predictions stand beside the outputs, so that a report needs no data set and, for
    # what rests on hits alone, not the large table either.
    predicted = last.log_probs.argmax(1).int()
    outputs = {"log_probs": last.log_probs, "labels": last.labels, "predicted": predicted}
    save(folder.test_outputs, outputs)
    if network.kept:
        folder.kept.write_json(network.kept)
    at_best = last
    best = checkpoint.best()
    if best is not None and best[0] != spec.epochs:
        model.load_state_dict(best[1])
        at_best = trainer.evaluate(model, network.cost, test)
    return {
        "test_acc1": last.acc1,
        "test_acc1_best": at_best.acc1,
        "test_outputs": store.address(folder.test_outputs),
    }


def shared_dense(spec: TrialSpec, store: Store) -> TrialReport | None:
    """The record of this dense network from the sweep that trained it, as one report; None if none.

    A damaged record is set aside.

    A sweep that only shares the network has spent nothing on it. If the weights were loaded, the
    MACs behind them are those that this sweep's file states, for the key does not tell.
    """
    folder = store.dense_folder(spec.key)
    if not folder.is_complete():
        return None
    try:
        record = Record.model_validate_json(folder.record.read())
    except ValidationError:
        name = folder.record.set_aside().name
        _log.warning(
            "%s: damaged, set aside as %s; the network is trained again", folder.record, name
        )
        return None
    report = record.model_dump(exclude={"sweep", "key", "ended_at"})
    if record.sweep == spec.sweep:  # a crash came between this file and the sweep's own record
        return report
    macs, inherited = record.train_macs, spec.inherited_macs
    total = macs.total - macs.inherited + inherited
    train_macs = macs.model_copy(update={"inherited": inherited, "total": total, "spent": 0})
    return {**report, "train_macs": train_macs, "wall_s": {"total": 0.0}}
