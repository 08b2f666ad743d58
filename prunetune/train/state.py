"""The state that changes while a network trains, and its way into and out of a checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from prunetune.config.recipe import Recipe
from prunetune.protocols import Begins, Hook, Stateful
from prunetune.records.record import Epoch
from prunetune.train.checkpoint import Checkpoint, CheckpointFile, Tensors
from prunetune.train.ema import Ema
from prunetune.train.optim import build_optimizer


@dataclass
class TrainingState:
    """The state of a training between two epochs."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    ema: Ema | None
    hooks: Sequence[Hook] = ()
    curve: list[Epoch] = field(default_factory=list)
    best: Tensors = field(default_factory=dict)
    """The weights of the epoch that is best on validation."""
    best_epoch: int = 0

    @classmethod
    def begin(cls, model: nn.Module, recipe: Recipe, hooks: Sequence[Hook] = ()) -> TrainingState:
        """The state before the first epoch.

        Hooks begin before the moving average is made, so it contains what they do to the model.
        """
        for hook in hooks:
            if isinstance(hook, Begins):
                hook.begin(model)
        ema = Ema(model, recipe.ema) if recipe.ema else None
        return cls(model, build_optimizer(recipe, model), ema, hooks)

    @property
    def validated(self) -> nn.Module:
        """The network that is validated and kept: the moving average if there is one."""
        return self.ema.module if self.ema else self.model

    def finish(self, epoch: Epoch) -> None:
        """Add an epoch to the curve, and keep its weights if it is the best on validation."""
        self.curve.append(epoch)
        best = max(self.curve, key=lambda e: (e.val_acc1, -e.val_loss, -e.epoch))
        if best is epoch:
            self.best_epoch = epoch.epoch
            self.best = {k: v.detach().clone() for k, v in self.validated.state_dict().items()}

    def snapshot(self, identity: dict[str, Any]) -> Checkpoint:
        """The whole state without a copy; write it before training goes on."""
        sections = {
            "model": self.model.state_dict(),
            "optimizer": _optimizer_tensors(self.optimizer),
            "best": self.best,
        }
        if self.ema:
            sections["ema"] = self.ema.module.state_dict()
        if tensors := dict(_hook_tensors(self.hooks)):
            sections["hooks"] = tensors
        return Checkpoint(identity, tuple(self.curve), self.best_epoch, sections)

    def resume(self, file: CheckpointFile, identity: dict[str, Any]) -> None:
        """Go on from the file, if there is one.

        Raises:
            CheckpointError: the file is corrupt, or another training or network wrote it.
        """
        checkpoint = file.read_for(identity)
        if checkpoint is None:
            return
        sections = checkpoint.sections
        try:
            self.model.load_state_dict(sections["model"])
            if self.ema:
                self.ema.module.load_state_dict(sections["ema"])
            _restore_optimizer(self.optimizer, sections.get("optimizer", {}))
            _restore_hooks(self.hooks, sections.get("hooks", {}))
        except (KeyError, IndexError, RuntimeError, ValueError) as error:
            raise file.refused(f"written by another network: {error}") from error
        self.curve, self.best_epoch = list(checkpoint.curve), checkpoint.best_epoch
        self.best = sections["best"]


def _optimizer_tensors(optimizer: torch.optim.Optimizer) -> Tensors:
    """The state of each parameter as `index.name`; parameters are counted over all groups."""
    tensors: Tensors = {}
    for index, state in optimizer.state_dict()["state"].items():
        for name, value in state.items():
            if isinstance(value, Tensor):
                tensors[f"{index}.{name}"] = value
            elif value is not None:
                raise TypeError(
                    f"optimizer state {name!r} is not a tensor and cannot be checkpointed"
                )
    return tensors


def _hook_tensors(hooks: Sequence[Hook]) -> Iterator[tuple[str, Tensor]]:
    """The state of each stateful hook as `index.name`; hooks are counted in their given order."""
    for index, hook in enumerate(hooks):
        if isinstance(hook, Stateful):
            for name, value in hook.state_dict().items():
                yield f"{index}.{name}", value


def _restore_hooks(hooks: Sequence[Hook], tensors: Tensors) -> None:
    """Restore every stateful hook; a hook missing from the checkpoint receives an empty state."""
    states: dict[int, Tensors] = {i: {} for i, h in enumerate(hooks) if isinstance(h, Stateful)}
    for key, value in tensors.items():
        index, _, name = key.partition(".")
        states[int(index)][name] = value
    for number, state in states.items():
        hook = hooks[number]
        assert isinstance(hook, Stateful)
        hook.load_state_dict(state)


def _restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Tensors) -> None:
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, _, name = key.partition(".")
        parameter = parameters[int(index)]
        if value.shape == parameter.shape:  # a fused step needs the memory layout of its parameter
            value = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
        state.setdefault(int(index), {})[name] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
