"""What changes while a network trains, and how it goes into a checkpoint and out of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from prunetune.config.recipe import Recipe
from prunetune.protocols import Begins, Hook, Stateful
from prunetune.records.record import Epoch
from prunetune.train.checkpoint import Checkpoint, CheckpointError, CheckpointFile, State
from prunetune.train.ema import Ema
from prunetune.train.optim import build_optimizer


@dataclass
class TrainingState:
    """A training between two epochs."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    ema: Ema | None
    hooks: Sequence[Hook] = ()
    curve: list[Epoch] = field(default_factory=list)
    best: State = field(default_factory=dict)
    best_epoch: int = 0

    @classmethod
    def begin(cls, model: nn.Module, recipe: Recipe, hooks: Sequence[Hook] = ()) -> TrainingState:
        """Before the first epoch; what hooks do to the model here is in the average from then."""
        for hook in hooks:
            if isinstance(hook, Begins):
                hook.begin(model)
        ema = Ema(model, recipe.ema) if recipe.ema else None
        return cls(model, build_optimizer(recipe, model), ema, hooks)

    @property
    def deciding(self) -> nn.Module:
        """The network that is validated and kept: the average where one is made."""
        return self.ema.module if self.ema else self.model

    def finish(self, epoch: Epoch) -> None:
        """Note an epoch, and its weights if none was better on validation."""
        self.curve.append(epoch)
        best = max(self.curve, key=lambda e: (e.val_acc1, -e.val_loss, -e.epoch))
        if best is epoch:
            self.best_epoch = epoch.epoch
            self.best = {k: v.detach().clone() for k, v in self.deciding.state_dict().items()}

    def snapshot(self, identity: dict[str, Any]) -> Checkpoint:
        """All of it, without a copy: to be written before training goes on."""
        sections = {
            "model": self.model.state_dict(),
            "optimizer": _optimizer_tensors(self.optimizer),
            "best": self.best,
        }
        if self.ema:
            sections["ema"] = self.ema.module.state_dict()
        if memory := dict(_hook_tensors(self.hooks)):
            sections["hooks"] = memory
        return Checkpoint(identity, tuple(self.curve), self.best_epoch, sections)

    def resume(self, file: CheckpointFile, identity: dict[str, Any]) -> None:
        """Go on from the file, if there is one; CheckpointError if it does not fit."""
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
            raise CheckpointError(f"{file.path}: written by another network: {error}") from error
        self.curve, self.best_epoch = list(checkpoint.curve), checkpoint.best_epoch
        self.best = sections["best"]


def _optimizer_tensors(optimizer: torch.optim.Optimizer) -> State:
    """State per parameter as `index.name`, parameters counted over the groups."""
    tensors: State = {}
    for index, state in optimizer.state_dict()["state"].items():
        for name, value in state.items():
            if isinstance(value, Tensor):
                tensors[f"{index}.{name}"] = value
            elif value is not None:
                raise TypeError(f"optimizer state {name!r} is no tensor, and is not checkpointed")
    return tensors


def _hook_tensors(hooks: Sequence[Hook]) -> Iterator[tuple[str, Tensor]]:
    """State per hook as `index.name`, hooks counted as they were given."""
    for index, hook in enumerate(hooks):
        if isinstance(hook, Stateful):
            for name, value in hook.state_dict().items():
                yield f"{index}.{name}", value


def _restore_hooks(hooks: Sequence[Hook], tensors: State) -> None:
    """Every hook with a memory is told, be it of nothing."""
    states: dict[int, State] = {i: {} for i, h in enumerate(hooks) if isinstance(h, Stateful)}
    for key, value in tensors.items():
        index, _, name = key.partition(".")
        states[int(index)][name] = value
    for number, state in states.items():
        hook = hooks[number]
        assert isinstance(hook, Stateful)
        hook.load_state_dict(state)


def _restore_optimizer(optimizer: torch.optim.Optimizer, tensors: State) -> None:
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, _, name = key.partition(".")
        parameter = parameters[int(index)]
        if value.shape == parameter.shape:  # fused steps want their parameter's layout
            value = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
        state.setdefault(int(index), {})[name] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
