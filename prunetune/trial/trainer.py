"""Training, calibrating and evaluating within a trial, all of it booked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from prunetune.compress.budget.costs import count_macs
from prunetune.config.recipe import Recipe
from prunetune.config.space.space import subtree
from prunetune.protocols import Hook
from prunetune.records.cost_meter import CostMeter
from prunetune.records.costs import training_macs
from prunetune.records.folders import TrialFolder
from prunetune.records.record import Epoch, TrialSpec
from prunetune.records.seeds import trial_seeds
from prunetune.train.calibrate import recalibrate
from prunetune.train.checkpoint import CheckpointFile
from prunetune.train.device import prepare
from prunetune.train.evaluate import EVAL_BATCH, Evaluation, evaluate
from prunetune.train.loop import train
from prunetune.workload import Workload


class Scored(Hook):
    """The scoring booked inside a training, remembered by its checkpoint: rounds of a gradual
    pruning that are behind it are not scored again when it goes on."""

    def __init__(self, journal: CostMeter) -> None:
        self._journal, self._before = journal, journal.attributed("score")

    def state_dict(self) -> dict[str, torch.Tensor]:
        """See `prunetune.protocols.Stateful`."""
        return {"macs": torch.tensor(self._journal.attributed("score") - self._before)}

    def load_state_dict(self, state: Mapping[str, torch.Tensor]) -> None:
        """See `prunetune.protocols.Stateful`."""
        if "macs" in state:  # a checkpoint written before it was kept does not say
            self._journal.attribute("score", int(state["macs"]))


class Trainer:
    """The engine with one trial's data, recipe, seeds, checkpoints and books."""

    def __init__(
        self,
        spec: TrialSpec,
        folder: TrialFolder,
        device: torch.device,
        *,
        download: bool,
        payer: CostMeter | None = None,
    ) -> None:
        self.device, self.folder = device, folder
        self.workload = Workload.from_json(spec.workload)
        self.splits = self.workload.open(device, download=download)
        self.seeds = trial_seeds(spec.sweep_seed, spec.seed)
        self.recipe = Recipe.model_validate(subtree(spec.config, "recipe"))
        self.journal = CostMeter(folder.spent, spec.inherited_macs, payer)
        self.deterministic = spec.deterministic
        self.stages = 0

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps in each epoch."""
        return max(1, len(self.splits.train) // self.recipe.batch_size)

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
    ) -> Iterator[Epoch]:
        """Train by `epochs`, each booked before it begins; resumes from `checkpoint`.

        They may be numbers `first` and on of a training of `total` epochs.
        """
        images = len(self.splits.train)
        for _ in checkpoint.curve():
            self.journal.attribute(stage, training_macs(macs, images))
        epoch_macs = training_macs(macs, images) + macs * len(self.splits.val)
        steps = train(
            model,
            self.splits,
            self.recipe,
            epochs,
            seeds=self.seeds,
            device=self.device,
            hooks=[*hooks, Scored(self.journal)],
            checkpoint=checkpoint,
            before_epoch=lambda _: self.journal.spend(epoch_macs),
            deterministic=self.deterministic,
            first=first,
            total=total,
        )
        while True:
            with self.journal.clock(stage):
                epoch = next(steps, None)
            if epoch is None:
                return
            self.journal.attribute(stage, training_macs(macs, images))
            yield epoch

    def train_stage(self, model: nn.Module, epochs: int, hooks: Sequence[Hook]) -> nn.Module:
        """Training inside a method; its own checkpoint makes a repeated call return at once."""
        self.stages += 1
        checkpoint = CheckpointFile(self.folder.stage_checkpoint(self.stages))
        model = prepare(model.to(self.device), self.device)
        macs = count_macs(model, self.workload.info.shape)
        for _ in self.train(model, epochs, hooks, checkpoint, "sparsify", macs):
            pass
        return model

    def calibration(self, images: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """`images` training images without augmentation, the same at every call."""
        generator = torch.Generator().manual_seed(self.seeds["scoring"])
        batches: Iterator[tuple[torch.Tensor, torch.Tensor]] = self.splits.train.sample(
            images, generator
        )
        return batches

    def recalibrate(self, model: nn.Module, images: int) -> None:
        """Measure batch norm statistics anew on training images, and book it as scoring."""
        macs = count_macs(model, self.workload.info.shape) * min(images, len(self.splits.train))
        self.book_scoring(macs)
        recalibrate(model.to(self.device), (x for x, _ in self.calibration(images)))

    def book_scoring(self, macs: int) -> None:
        """Book MACs of passes over images that no weight is trained by."""
        self.journal.spend(macs)
        self.journal.attribute("score", macs)

    def evaluate(
        self, model: nn.Module, macs: int, split: Any, *, outputs: bool = False
    ) -> Evaluation:
        """Loss and accuracy in fp32, booked."""
        self.journal.spend(macs * len(split))
        with self.journal.clock("evaluate"):
            return evaluate(model, split.batches(EVAL_BATCH), self.device, outputs=outputs)
