"""Sparsified networks: the dense network trained on under a regulariser, and shared by trials.

The key of a sparsified network is a hash of all that it is computed from: the key of the dense
network, the regulariser, the recipe, the epochs. Its random numbers follow from the dense key and
not from the seed of a trial, so trials and sweeps that ask for the same network get the same one.

The first trial that asks makes the network. It holds the network's lock, so others wait, and what
it computes counts as its own spending. If it dies, the next one goes on from the checkpoint and
spends only the epochs that it computes itself, so every epoch is spent once. The whole cost of the
network is inherited by every trial that uses it: the agenda adds it to `inherited_macs`.
"""

from __future__ import annotations

import copy

from pydantic import Field
from torch import nn

from prunetune.compress.regularizer import regularizing
from prunetune.config.parts import Named
from prunetune.config.recipe import Recipe, images_per_epoch, steps_per_epoch
from prunetune.records.folders import SharedNetworkFolder
from prunetune.records.key import trial_key
from prunetune.records.record import Epoch, Frozen, TrialSpec, training_macs
from prunetune.records.record_builder import now
from prunetune.records.seeds import child_seed
from prunetune.records.store import Store
from prunetune.records.versions import versions
from prunetune.registry import regularizers
from prunetune.train.checkpoint import CheckpointFile
from prunetune.train.device import precision_name
from prunetune.train.loop import train
from prunetune.trial import outputs
from prunetune.trial.shared import shared_network
from prunetune.trial.trainer import Beats, Trainer


class SparseRecord(Frozen):
    """How a sparsified network was made, as JSON beside its weights."""

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
    """Training MACs that every trial inherits that uses the network."""
    sweep: str
    trial: str
    """Key of the trial that finished it."""
    dtype: str
    versions: dict[str, str]
    ended_at: str


class Sparsifier:
    """Finds or makes the sparsified network that one trial asks for."""

    def __init__(self, spec: TrialSpec, store: Store, trainer: Trainer, dense: nn.Module) -> None:
        self.spec, self.store, self.trainer, self.dense = spec, store, trainer, dense
        self.key: str | None = None
        """The key of the network that was asked for last."""

    def network(self, regularizer: Named, recipe: Recipe) -> nn.Module:
        """See `Context.sparsify`."""
        spec = self.spec
        regularizer = _without_defaults(regularizer)
        self.key = key = trial_key(
            phase="sparse",
            dense=spec.inputs["dense"],  # the key stands for data, model and weights
            regularizer=regularizer.model_dump(mode="json"),
            recipe=recipe.model_dump(mode="json", exclude_defaults=True),
            epochs=spec.sparsify_epochs,
        )
        folder = self.store.sparse_folder(key)
        return shared_network(
            folder,
            self.trainer.workload.architecture,
            folder.is_complete,
            lambda: self._make(key, folder, regularizer, recipe),
            pulse=self.trainer.pulse,
        )

    def _make(
        self, key: str, folder: SharedNetworkFolder, regularizer: Named, recipe: Recipe
    ) -> None:
        """Train the network, from its checkpoint if it has one; write weights, then the record."""
        model, checkpoint = copy.deepcopy(self.dense), CheckpointFile(folder.checkpoint)
        with self.trainer.meter.clock("sparsify"):
            self._train(model, regularizer, recipe, checkpoint)
        outputs.save(folder.weights, model.state_dict())
        record = self._record(key, regularizer, recipe, tuple(checkpoint.curve()))
        folder.record.write_json(record)
        folder.checkpoint.delete()

    def _train(
        self, model: nn.Module, regularizer: Named, recipe: Recipe, checkpoint: CheckpointFile
    ) -> None:
        spec, trainer = self.spec, self.trainer
        n_images, validated = len(trainer.splits.train), len(trainer.splits.val)
        steps = spec.sparsify_epochs * steps_per_epoch(n_images, recipe.batch_size)
        hook = regularizing(regularizer, model, trainer.workload.architecture, steps)
        images = images_per_epoch(n_images, recipe.batch_size)
        epoch_macs = training_macs(spec.dense_macs, images) + spec.dense_macs * validated
        for _ in train(
            model,
            trainer.splits,
            recipe,
            spec.sparsify_epochs,
            seeds=self._seeds(),
            device=trainer.device,
            hooks=[hook, Beats(trainer.pulse)],
            checkpoint=checkpoint,
            before_epoch=lambda n: trainer.meter.spend(epoch_macs, f"sparse {self.key}", n),
            deterministic=trainer.deterministic,
        ):
            pass

    def _seeds(self) -> dict[str, int]:
        """Seeds that follow from the dense network alone, so that all trials get the same."""
        dense = self.spec.inputs["dense"]
        return {use: child_seed(dense, "sparsify", use) for use in ("order", "augmentation")}

    def _record(
        self, key: str, regularizer: Named, recipe: Recipe, curve: tuple[Epoch, ...]
    ) -> SparseRecord:
        spec, epochs = self.spec, self.spec.sparsify_epochs
        images = images_per_epoch(len(self.trainer.splits.train), recipe.batch_size)
        return SparseRecord(
            key=key,
            dense=spec.inputs["dense"],
            regularizer=regularizer,
            recipe=recipe,
            epochs=epochs,
            seeds=self._seeds(),
            curve=curve,
            train_macs=training_macs(spec.dense_macs, images, epochs),
            sweep=spec.sweep,
            trial=spec.key,
            dtype=precision_name(self.trainer.device),
            versions=versions(),
            ended_at=now(),
        )


def _without_defaults(named: Named) -> Named:
    """The regulariser without the parameters that have their default value."""
    _, params = regularizers.checked(named)
    return Named(name=named.name, params=params.model_dump(mode="json", exclude_defaults=True))
