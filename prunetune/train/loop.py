"""The training loop: the same for every arm, resumable after every epoch."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from prunetune.config.recipe import Recipe, steps_per_epoch
from prunetune.protocols import Batch, Hook, TrainingSplits
from prunetune.records.record import Epoch
from prunetune.records.seeds import child_seed
from prunetune.train.checkpoint import CheckpointFile
from prunetune.train.device import autocast, kernels, precision, prepare
from prunetune.train.evaluate import EVAL_BATCH, evaluate
from prunetune.train.mix import MixedBatch, mix, mixed_loss
from prunetune.train.schedule import build_schedule
from prunetune.train.state import TrainingState


class Diverged(Exception):  # noqa: N818 - an expected end, not an error
    """The training or validation loss of an epoch is not finite."""

    def __init__(self, epoch: int, which: str, loss: float) -> None:
        self.epoch = epoch
        super().__init__(f"{which} loss of epoch {epoch} is {loss}")


@dataclass(frozen=True)
class TrainingJob:
    """The arguments of a training, which do not change while it runs."""

    splits: TrainingSplits
    recipe: Recipe
    first: int
    """The number of the first epoch."""
    total: int
    """Epochs of the whole training. The schedule spans all of them."""
    seeds: Mapping[str, int]
    device: torch.device
    hooks: Sequence[Hook]
    deterministic: bool

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches of the training split; one where it is smaller than a batch."""
        return steps_per_epoch(len(self.splits.train), self.recipe.batch_size)

    @property
    def first_step(self) -> int:
        """The number of the first step, counted over the whole training."""
        return (self.first - 1) * self.steps_per_epoch


def train(
    model: nn.Module,
    splits: TrainingSplits,
    recipe: Recipe,
    epochs: int,
    *,
    seeds: Mapping[str, int],
    device: torch.device,
    hooks: Sequence[Hook] = (),
    checkpoint: CheckpointFile | None = None,
    before_epoch: Callable[[int], None] | None = None,
    deterministic: bool = False,
    first: int = 1,
    total: int | None = None,
) -> Iterator[Epoch]:
    """Train `model` in place, yielding each epoch after it is validated and checkpointed.

    After the last epoch `model` has the weights that were validated: those of the last step, or
    their moving average if the recipe has one. Generators are seeded anew for each epoch, so a
    checkpoint needs no generator state.

    Args:
        model: the network.
        splits: the images to train on and to validate on.
        recipe: how to train.
        epochs: how many epochs to train.
        seeds: `order` and `augmentation`, from which all random numbers follow.
        device: where to train.
        hooks: act inside the training.
        checkpoint: if its file exists, training goes on after it and yields only the epochs that
            were still missing; the others are in `checkpoint.curve()`.
        before_epoch: called with the number of each epoch before the epoch begins.
        deterministic: whether a GPU must repeat its results to the bit.
        first: the number of the first epoch, if these epochs are part of a longer training. The
            schedule goes on and no random number is drawn twice, but the optimizer and the moving
            average start anew.
        total: epochs of the longer training; None: these epochs end it.

    Raises:
        Diverged: an epoch ended with a loss that is not finite.
        CheckpointError: the checkpoint is corrupt, or another training wrote it.
    """
    total = first - 1 + epochs if total is None else total
    job = TrainingJob(splits, recipe, first, total, seeds, device, hooks, deterministic)
    identity = identity_of(recipe, epochs, seeds, first, total)
    state = TrainingState.begin(prepare(model, device), recipe, hooks)
    if checkpoint is not None:
        state.resume(checkpoint, identity)
    for number in range(first + len(state.curve), first + epochs):
        if before_epoch is not None:
            before_epoch(number)
        state.finish(_run_epoch(job, state, number))
        if checkpoint is not None:
            checkpoint.write(state.snapshot(identity))
        yield state.curve[-1]
    if state.ema is not None:
        model.load_state_dict(state.ema.module.state_dict())


def identity_of(
    recipe: Recipe, epochs: int, seeds: Mapping[str, int], first: int, total: int
) -> dict[str, Any]:
    """What a training computes, by which its checkpoints are told from those of others."""
    identity = {"epochs": epochs, "recipe": recipe.model_dump(mode="json"), "seeds": dict(seeds)}
    if (first, total) != (1, epochs):
        identity |= {"first": first, "total": total}
    return identity


def _run_epoch(job: TrainingJob, state: TrainingState, number: int) -> Epoch:
    """Train for one epoch and validate."""
    started = time.perf_counter()
    train_loss = _train_epoch(job, state, number)
    if not math.isfinite(train_loss):
        raise Diverged(number, "training", train_loss)
    for hook in job.hooks:
        hook.after_epoch(state.model, number)
    validation = evaluate(state.validated, job.splits.val.batches(EVAL_BATCH), job.device)
    if not math.isfinite(validation.loss):
        raise Diverged(number, "validation", validation.loss)
    return Epoch(
        epoch=number,
        train_loss=train_loss,
        val_loss=validation.loss,
        val_acc1=validation.acc1,
        lr=state.optimizer.param_groups[0]["lr"],
        seconds=time.perf_counter() - started,
    )


def _train_epoch(job: TrainingJob, state: TrainingState, number: int) -> float:
    """Do the steps of an epoch, and return their mean loss. Waits for a GPU only at the end."""
    recipe, device = job.recipe, job.device
    schedule = build_schedule(recipe.schedule)
    per_epoch, total_steps = job.steps_per_epoch, job.steps_per_epoch * job.total
    steps = range((number - 1) * per_epoch, number * per_epoch)
    loss = torch.zeros((), device=device)
    state.model.train()
    with kernels(device, deterministic=job.deterministic), _seeded(job, number):
        for step, (x, y) in zip(steps, _epoch_batches(job, number), strict=True):
            for group in state.optimizer.param_groups:
                group["lr"] = group["initial_lr"] * schedule(step, total_steps, per_epoch)
            x = x.to(device, memory_format=torch.channels_last, non_blocking=True)
            y = y.to(device, non_blocking=True)
            draw = random.Random(child_seed(job.seeds["augmentation"], "mix", step))
            loss += _step(job, state, mix(x, y, recipe, draw), step)
    return loss.item() / per_epoch


def _step(job: TrainingJob, state: TrainingState, batch: MixedBatch, step: int) -> Tensor:
    """Do one step: forward, backward, update. Returns the loss of the batch, on the device."""
    model, recipe = state.model, job.recipe
    with autocast(job.device, precision(job.device)):
        logits = model(batch.x)
    loss = mixed_loss(logits.float(), batch, recipe.label_smoothing)
    state.optimizer.zero_grad()
    torch.autograd.backward(loss)
    for hook in job.hooks:
        hook.after_backward(model, step)
    if recipe.grad_clip:
        nn.utils.clip_grad_norm_(model.parameters(), recipe.grad_clip)
    state.optimizer.step()
    for hook in job.hooks:
        hook.after_step(model, step)
    if state.ema is not None:
        state.ema.update(model, step - job.first_step)
    return loss.detach()


def _epoch_batches(job: TrainingJob, number: int) -> Iterator[Batch]:
    order = torch.Generator().manual_seed(child_seed(job.seeds["order"], number))
    augmentation = torch.Generator(job.device).manual_seed(
        child_seed(job.seeds["augmentation"], number)
    )
    recipe = job.recipe
    return job.splits.train.epoch(recipe.batch_size, recipe.augment, order, augmentation)


@contextmanager
def _seeded(job: TrainingJob, number: int) -> Iterator[None]:
    """Seed the global generators, from which dropout draws, for this epoch; restore them after."""
    with torch.random.fork_rng([job.device] if job.device.type == "cuda" else []):
        torch.manual_seed(child_seed(job.seeds["augmentation"], "dropout", number))
        yield
