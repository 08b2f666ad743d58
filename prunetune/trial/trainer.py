"""Trains, calibrates and evaluates for one trial, and charges the MACs of all of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from prunetune.compress.budget.costs import count_macs
from prunetune.compress.proof.proved_groups import believe
from prunetune.config.recipe import Recipe, images_per_epoch, steps_per_epoch
from prunetune.config.space.space import subtree
from prunetune.plan import LeftAlone
from prunetune.protocols import Batch, Hook, Pulse
from prunetune.records.cost_meter import CostMeter
from prunetune.records.folders import TrialFolder
from prunetune.records.record import Epoch, TrialSpec, training_macs
from prunetune.records.seeds import stage_seeds, trial_seeds
from prunetune.train.calibrate import recalibrate
from prunetune.train.checkpoint import CheckpointFile
from prunetune.train.device import prepare
from prunetune.train.evaluate import EVAL_BATCH, Evaluation, evaluate
from prunetune.train.loop import identity_of, train
from prunetune.workload import Workload


class ScoringCost(Hook):
    """Saves in the training's checkpoint how many MACs were spent on scoring during the training.

    Gradual pruning scores in rounds while it trains. After a crash, finished rounds are not scored
    again, but their MACs still count towards the cost of the trial.
    """

    def __init__(self, meter: CostMeter) -> None:
        self._meter, self._before = meter, meter.attributed("score")

    def state_dict(self) -> dict[str, torch.Tensor]:
        """See `prunetune.protocols.Stateful`."""
        return {"macs": torch.tensor(self._meter.attributed("score") - self._before)}

    def load_state_dict(self, state: Mapping[str, torch.Tensor]) -> None:
        """See `prunetune.protocols.Stateful`."""
        if "macs" in state:  # old checkpoints do not have the entry
            self._meter.attribute("score", int(state["macs"]))


class Unwatched(Pulse):
    """A pulse that nobody listens to."""


class Beats(Hook):
    """Lets a pulse hear of every step."""

    def __init__(self, pulse: Pulse) -> None:
        self._pulse = pulse

    def after_step(self, model: nn.Module, step: int) -> None:
        """See `prunetune.protocols.Hook`."""
        self._pulse.beat()


class Trainer:
    """The training engine with the data, recipe, seeds, checkpoints and cost meter of one trial."""

    def __init__(
        self,
        spec: TrialSpec,
        folder: TrialFolder,
        device: torch.device,
        *,
        download: bool,
        charged_to: CostMeter | None = None,
        pulse: Pulse | None = None,
    ) -> None:
        self.device, self.folder = device, folder
        self.pulse = pulse or Unwatched()
        self.workload = Workload.from_json(spec.workload)
        if spec.left_alone is not None:
            known = (LeftAlone.model_validate(entry) for entry in spec.left_alone)
            believe(self.workload.architecture, known)
        self.splits = self.workload.open(device, download=download)
        self.seeds = trial_seeds(spec.sweep_seed, spec.seed, spec.phase, spec.stream_version)
        self.recipe = Recipe.model_validate(subtree(spec.config, "recipe"))
        self.meter = CostMeter(folder.spent, spec.inherited_macs, charged_to)
        self.deterministic = spec.deterministic
        self._stages = 0

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps in each epoch."""
        return steps_per_epoch(len(self.splits.train), self.recipe.batch_size)

    @property
    def images_per_epoch(self) -> int:
        """Training images that each epoch computes."""
        return images_per_epoch(len(self.splits.train), self.recipe.batch_size)

    def train(
        self,
        model: nn.Module,
        epochs: int,
        hooks: Sequence[Hook],
        checkpoint: CheckpointFile,
        stage: str,
        macs: int,
        first: int = 1,
        total: int | None = None,
        seeds: Mapping[str, int] | None = None,
    ) -> Iterator[Epoch]:
        """Train and yield epochs; each epoch is charged before it begins.

        Args:
            model: the network, trained in place.
            epochs: how many epochs to train.
            hooks: act inside the training.
            checkpoint: where the training goes on from, and what it writes after every epoch.
            stage: the stage of the cost meter.
            macs: MACs of a forward pass at batch 1.
            first: the number of the first epoch, if these epochs are part of a longer training.
            total: epochs of the longer training; None: these epochs end it.
            seeds: the random streams; None: those of the trial.
        """
        images, name = self.images_per_epoch, checkpoint.file.name.partition(".")[0]
        for _ in checkpoint.curve():
            self.meter.attribute(stage, training_macs(macs, images))
        epoch_macs = training_macs(macs, images) + macs * len(self.splits.val)
        steps = train(
            model,
            self.splits,
            self.recipe,
            epochs,
            seeds=self.seeds if seeds is None else seeds,
            device=self.device,
            hooks=[*hooks, ScoringCost(self.meter), Beats(self.pulse)],
            checkpoint=checkpoint,
            before_epoch=lambda number: self.meter.spend(epoch_macs, name, number),
            deterministic=self.deterministic,
            first=first,
            total=total,
        )
        while True:
            with self.meter.clock(stage):
                epoch = next(steps, None)
            if epoch is None:
                return
            self.meter.attribute(stage, training_macs(macs, images))
            yield epoch

    def begun(
        self, checkpoint: CheckpointFile, epochs: int, first: int, total: int
    ) -> tuple[Epoch, ...]:
        """The epochs from which `train` with these arguments goes on.

        Raises:
            CheckpointError: the checkpoint is corrupt, or another training wrote it.
        """
        identity = identity_of(self.recipe, epochs, self.seeds, first, total)
        found = checkpoint.read_for(identity)
        return found.curve if found else ()

    def train_stage(self, model: nn.Module, epochs: int, hooks: Sequence[Hook]) -> nn.Module:
        """Train inside a method. Every call has its own checkpoint, so a repeat returns at once."""
        self._stages += 1
        checkpoint = CheckpointFile(self.folder.stage_checkpoint(self._stages))
        seeds = stage_seeds(self.seeds, self._stages)
        model = prepare(model.to(self.device), self.device)
        macs = count_macs(model, self.workload.info.shape)
        for _ in self.train(model, epochs, hooks, checkpoint, "sparsify", macs, seeds=seeds):
            pass
        return model

    def calibration(self, images: int) -> Iterator[Batch]:
        """`images` training images without augmentation, the same at every call."""
        generator = torch.Generator().manual_seed(self.seeds["scoring"])
        batches: Iterator[Batch] = self.splits.train.sample(images, generator)
        return batches

    def recalibrate(self, model: nn.Module, images: int) -> None:
        """Measure batch norm statistics anew on training images, charged as scoring."""
        macs = count_macs(model, self.workload.info.shape) * min(images, len(self.splits.train))
        self.charge_scoring(macs)
        recalibrate(model.to(self.device), (x for x, _ in self.calibration(images)))

    def charge_scoring(self, macs: int) -> None:
        """Charge MACs of passes over images that train no weight."""
        self.pulse.beat()
        self.meter.spend(macs)
        self.meter.attribute("score", macs)

    def evaluate(
        self, model: nn.Module, macs: int, split: Any, *, outputs: bool = False
    ) -> Evaluation:
        """Loss and accuracy of `model`, of `macs` at batch 1, on `split` in float32."""
        self.pulse.beat()
        self.meter.spend(macs * len(split))
        with self.meter.clock("evaluate"):
            return evaluate(model, split.batches(EVAL_BATCH), self.device, outputs=outputs)
