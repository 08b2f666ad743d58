"""Sparsified networks: the dense one trained on under a regulariser, made once for all that ask.

One lies under STORAGE/sparse/<key>/, the key a hash of all that it is computed from: the dense
network's key, regulariser, recipe, epochs. Its randomness comes from the dense key, not from the
trial's seed, so that trials and sweeps that ask for the same get the same.

Who asks first computes it, holding the folder's lock, and books what it *spends*; others wait. If
the first one dies, the next goes on from its checkpoint and books the epochs that it does itself,
so that every epoch is spent once. What the network *costs* is inherited in full by all alike: the
agenda has put it into `inherited_macs` beside the dense network's.
"""

from __future__ import annotations

import copy

from pydantic import Field
from torch import nn

from prunetune.compress.regularizer import regularizing
from prunetune.config.parts import Named
from prunetune.config.recipe import Recipe
from prunetune.records.costs import training_macs
from prunetune.records.folders import SharedNetworkFolder
from prunetune.records.key import trial_key
from prunetune.records.record import Epoch, Frozen, TrialSpec
from prunetune.records.record_builder import now
from prunetune.records.seeds import child_seed
from prunetune.records.store import Store
from prunetune.records.versions import versions
from prunetune.registry import regularizers
from prunetune.train.checkpoint import CheckpointFile
from prunetune.train.device import precision_name
from prunetune.train.loop import train
from prunetune.trial import outputs
from prunetune.trial.trainer import Trainer
from prunetune.workload import load_network


class SparseRecord(Frozen):
    """How a sparsified network came about."""

    schema_: int = Field(default=1, alias="schema")
    key: str
    dense: str
    """Key of the dense network."""
    regularizer: Named
    recipe: Recipe
    epochs: int
    seeds: dict[str, int]
    curve: tuple[Epoch, ...]
    train_macs: int
    """What everyone inherits."""
    sweep: str
    trial: str
    """Key of the trial that finished it."""
    dtype: str
    versions: dict[str, str]
    ended_at: str


class Sparsifier:
    """Finds, or makes, the sparsified network that one trial asks for."""

    def __init__(self, spec: TrialSpec, store: Store, trainer: Trainer, dense: nn.Module) -> None:
        self.spec, self.store, self.trainer, self.dense = spec, store, trainer, dense
        self.key: str | None = None
        """Of the network that was asked for."""

    def network(self, regularizer: Named, recipe: Recipe) -> nn.Module:
        """See `Context.sparsify`."""
        spec = self.spec
        regularizer = _salient(regularizer)
        self.key = key = trial_key(
            phase="sparse",
            dense=spec.inputs["dense"],  # which names data, model and weights
            regularizer=regularizer.model_dump(mode="json"),
            recipe=recipe.model_dump(mode="json", exclude_defaults=True),
            epochs=spec.sparsify_epochs,
        )
        folder = self.store.sparse_folder(key)
        if not folder.is_complete():
            with folder.lock():
                if not folder.is_complete():  # the former holder of the lock may have made it
                    self._make(key, folder, regularizer, recipe)
        return load_network(self.trainer.workload.architecture, folder.weights.path)

    def _make(
        self, key: str, folder: SharedNetworkFolder, regularizer: Named, recipe: Recipe
    ) -> None:
        """Train it, on from the checkpoint of one that died; write weights, then the record."""
        spec, trainer = self.spec, self.trainer
        architecture, images = trainer.workload.architecture, len(trainer.splits.train)
        dense_key, epochs, macs = spec.inputs["dense"], spec.sparsify_epochs, spec.dense_macs
        seeds = {use: child_seed(dense_key, "sparsify", use) for use in ("order", "augmentation")}
        steps = epochs * max(1, images // recipe.batch_size)
        model = copy.deepcopy(self.dense)
        hook = regularizing(regularizer, model, architecture, steps)
        checkpoint = CheckpointFile(folder.checkpoint)
        epoch_macs = training_macs(macs, images) + macs * len(trainer.splits.val)
        with trainer.journal.clock("sparsify"):
            for _ in train(
                model,
                trainer.splits,
                recipe,
                epochs,
                seeds=seeds,
                device=trainer.device,
                hooks=[hook],
                checkpoint=checkpoint,
                before_epoch=lambda _: trainer.journal.spend(epoch_macs),
                deterministic=trainer.deterministic,
            ):
                pass
        outputs.save(folder.weights, model.state_dict())
        record = SparseRecord(
            key=key,
            dense=dense_key,
            regularizer=regularizer,
            recipe=recipe,
            epochs=epochs,
            seeds=seeds,
            curve=tuple(checkpoint.curve()),
            train_macs=training_macs(macs, images, epochs),
            sweep=spec.sweep,
            trial=spec.key,
            dtype=precision_name(trainer.device),
            versions=versions(),
            ended_at=now(),
        )
        folder.record.write_json(record)
        folder.checkpoint.delete()


def _salient(named: Named) -> Named:
    """The regulariser without the parameters at their default."""
    _, params = regularizers.checked(named)
    return Named(name=named.name, params=params.model_dump(mode="json", exclude_defaults=True))
