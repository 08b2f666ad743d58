"""The network that a trial trains: the dense network, or what its method makes of it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from prunetune.compress.method import CompactModel, Context, Shrinking, Target
from prunetune.compress.network.rebuild import fresh
from prunetune.config.budget import sparsity_of
from prunetune.config.parts import Named
from prunetune.config.space.space import subtree
from prunetune.models.pretrained import match_state
from prunetune.records.record import TrialSpec
from prunetune.records.store import Store
from prunetune.registry import methods
from prunetune.trial.shared import shared_network
from prunetune.trial.sparse import Sparsifier
from prunetune.trial.trainer import Trainer


class NetworkMaker:
    """Makes the network of one trial.

    Args:
        spec: the trial.
        store: where the networks lie from which it starts.
        trainer: trains and charges what the method asks for.
        train_dense: trains the dense network of a key; called if its weights are gone.
    """

    def __init__(
        self,
        spec: TrialSpec,
        store: Store,
        trainer: Trainer,
        train_dense: Callable[[str], None],
    ) -> None:
        self.spec, self.store, self.trainer = spec, store, trainer
        self._train_dense = train_dense
        self._sparsifier: Sparsifier | None = None

    @property
    def sparsified(self) -> str | None:
        """The key of the sparsified network that the method asked for, if it did."""
        return self._sparsifier.key if self._sparsifier else None

    def make(self) -> CompactModel | Shrinking:
        """The trial's network before training."""
        return self._dense_network() if self.spec.phase == "dense" else self._compact_network()

    def _dense_network(self) -> CompactModel:
        """The dense network, initialised or with the weights that the workload loads."""
        workload = self.trainer.workload
        model = fresh(workload.architecture, self.trainer.seeds["init"])
        if workload.weights is not None:
            model.load_state_dict(match_state(model, workload.dense_state()))
        return CompactModel(model, workload.architecture, self.spec.dense_macs)

    def _compact_network(self) -> CompactModel | Shrinking:
        """What the method makes of the dense network and the budget."""
        spec, trainer = self.spec, self.trainer
        params = subtree(spec.config, "method")
        method = methods.make(Named(name=spec.method or "", params=params))
        dense = self._trained_dense_network() if method.inherits else None
        if dense is not None and spec.sparsify_epochs:
            self._sparsifier = Sparsifier(spec, self.store, trainer, dense)
        context = Context(
            architecture=trainer.workload.architecture,
            target=Target(
                spec.target_macs, spec.dense_macs, spec.tolerance, sparsity_of(spec.budget)
            ),
            generator=torch.Generator().manual_seed(trainer.seeds["ties"]),
            build=lambda architecture: fresh(architecture, trainer.seeds["init"]),
            epochs=spec.epochs,
            dense=dense,
            source=spec.source_architecture,
            batches=trainer.calibration,
            charge=trainer.charge_scoring,
            scoring=lambda: trainer.meter.clock("score"),
            train=trainer.train_stage,
            steps_per_epoch=trainer.steps_per_epoch,
            sparsify=self._sparsifier.network if self._sparsifier else None,
            recalibrate=trainer.recalibrate,
        )
        network: CompactModel | Shrinking = method.run(context)
        return network

    def _trained_dense_network(self) -> nn.Module:
        """The dense network that the trial starts from.

        It is trained again if its weights are gone or damaged.
        """
        key = self.spec.inputs["dense"]
        folder = self.store.dense_folder(key)
        return shared_network(
            folder,
            self.trainer.workload.architecture,
            folder.weights.exists,
            lambda: self._train_dense(key),
            pulse=self.trainer.pulse,
        )
