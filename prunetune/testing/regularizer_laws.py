"""The laws that every regulariser must keep."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from prunetune.compress.criterion import About
from prunetune.compress.graph.groups import Group, Member
from prunetune.compress.network.rebuild import fresh
from prunetune.compress.regularizer import Regularizer, regularizing
from prunetune.config.parts import Named
from prunetune.protocols import Hook
from prunetune.records.files import StoredFile
from prunetune.registry import regularizers
from prunetune.testing.networks import (
    CPU,
    RESIDUAL,
    Network,
    as_if_trained,
    reading_entries,
    writing_entries,
)
from prunetune.testing.training import RECIPE, STEPS_PER_EPOCH, TRAINING_SEEDS, noise_splits
from prunetune.testing.watch import untouched
from prunetune.train.checkpoint import CheckpointFile
from prunetune.train.loop import train

_EPOCHS = 2
_STEPS = _EPOCHS * STEPS_PER_EPOCH


def check_regularizer(
    name: str,
    params: Mapping[str, Any] | None = None,
    *,
    network: Network = RESIDUAL,
    refused: bool = False,
) -> None:
    """Assert the laws of the registered regulariser `name` with these parameters.

    - With strength 0, training is plain training, bit for bit.
    - Otherwise the hook changes gradients, and only those of the groups' own weights. It changes no
      weight, buffer, mode, hook or global random generator.
    - The same training gives the same weights, bit for bit, also when it resumes after a crash.
    - On a network where the regulariser applies to no group (say so with `refused`), it is refused
      by name before training.
    """
    who = f"regularizer {name!r} on {network}"
    given = dict(params or {})
    _check_about(who, name)
    groups = _groups(who, name, given, network)
    assert bool(groups) != refused, (
        f"{who} applies to {len(groups)} of {len(network.groups)} groups; pass a network=… that it "
        "applies to, or refused=True if it must be refused"
    )
    if refused:
        _check_refused(who, name, given, network)
        return
    for group in groups:
        _check_gradients(who, _make(name, given).hook([group], _STEPS), network, group)
    _check_training(who, name, given, network)


def _make(name: str, params: Mapping[str, Any]) -> Regularizer:
    regularizer: Regularizer = regularizers.make(Named(name=name, params=dict(params)))
    return regularizer


def _check_about(who: str, name: str) -> None:
    entry = regularizers.get(name)
    about = getattr(entry.part, "about", None)
    assert isinstance(about, About) and about.paper and about.cost, (
        f"{who}: state `about = About(paper=…, cost=…)`, so that people can choose"
    )
    assert "strength" in entry.params.model_fields, (
        f"{who}: its parameters lack `strength`; derive them from compress.regularizer.Strength"
    )


def _groups(who: str, name: str, params: Mapping[str, Any], network: Network) -> list[Group]:
    """The groups that the regulariser applies to."""
    regularizer, model = _make(name, params), network.model
    with untouched(model, f"{who}: applies"):
        return [group for group in network.groups if regularizer.applies(model, group)]


def _check_refused(who: str, name: str, params: Mapping[str, Any], network: Network) -> None:
    try:
        _hook(name, params, network)
    except ValueError as error:
        assert name in str(error), f"{who} is refused without its name: {error}"
        return
    raise AssertionError(f"{who} applies to no group, but is not refused")


def _check_gradients(who: str, hook: Hook, network: Network, group: Group) -> None:
    """Call the hook once, as in the last step: only gradients of the group may change."""
    for call in ("after_backward", "after_step", "after_epoch"):
        assert callable(getattr(hook, call, None)), (
            f"{who}: its hook lacks {call}; derive it from compress.method.Hook, which has them all"
        )
    model = as_if_trained(fresh(network.architecture, seed=0))
    x, y = next(network.batches(8, 8)(8))
    torch.autograd.backward(F.cross_entropy(model(x), y))
    if begin := getattr(hook, "begin", None):
        begin(model)
    before = _gradients(model)
    with untouched(model, f"{who}, group {group.name!r}", but="gradient"):
        hook.after_backward(model, _STEPS - 1)
    after = _gradients(model)
    with untouched(model, f"{who}, group {group.name!r}: after_step and after_epoch"):
        hook.after_step(model, _STEPS - 1)
        hook.after_epoch(model, _EPOCHS)
    inside = _entries_of(model, group)
    for parameter, gradient in after.items():
        changed = gradient != before[parameter]
        outside = changed & ~inside.get(parameter, torch.zeros_like(changed))
        assert not bool(outside.any()), (
            f"{who}, group {group.name!r}: it changed the gradient of {parameter!r} at "
            f"{int(outside.sum())} places that do not belong to the group"
        )
    assert any(not torch.equal(after[p], before[p]) for p in after), (
        f"{who}, group {group.name!r}: no gradient changed in the last step of {_STEPS}, though it "
        "says that it applies; is the strength above 0?"
    )


def _gradients(model: nn.Module) -> dict[str, Tensor]:
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


def _check_training(who: str, name: str, params: dict[str, Any], network: Network) -> None:
    plain = _train(network, [])
    without = _train(network, [_hook(name, {**params, "strength": 0.0}, network)])
    assert _same(plain, without), f"{who}: with strength 0 training is not plain training"
    regularized = _train(network, [_hook(name, params, network)])
    assert not _same(plain, regularized), f"{who}: training with it is plain training"
    again = _train(network, [_hook(name, params, network)])
    assert _same(regularized, again), f"{who}: the same training has other weights the second time"
    with tempfile.TemporaryDirectory() as folder:
        file = CheckpointFile(StoredFile(Path(folder) / "checkpoint"))
        _train(network, [_hook(name, params, network)], file, crash_after=1)
        resumed = _train(network, [_hook(name, params, network)], file)
    assert _same(regularized, resumed), (
        f"{who}: training that resumed after a crash has other weights; what changes with time "
        "must depend on the step alone, or be in the hook's state_dict()"
    )


def _hook(name: str, params: Mapping[str, Any], network: Network) -> Hook:
    """The regulariser's hook over all groups of the network that it applies to."""
    named = Named(name=name, params=dict(params))
    return regularizing(named, network.model, network.architecture, _STEPS)


def _train(
    network: Network,
    hooks: list[Hook],
    checkpoint: CheckpointFile | None = None,
    crash_after: int | None = None,
) -> dict[str, Tensor]:
    """The weights of a copy of the network after training."""
    model = copy.deepcopy(network.model)
    epochs = train(
        model, noise_splits(network), RECIPE, _EPOCHS, seeds=TRAINING_SEEDS, device=CPU,
        hooks=hooks, checkpoint=checkpoint,
    )  # fmt: skip
    for _ in islice(epochs, crash_after):
        pass
    return model.state_dict()


def _same(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> bool:
    return all(torch.equal(value, b[key]) for key, value in a.items())


def _entries_of(model: nn.Module, group: Group) -> dict[str, Tensor]:
    """For each parameter that a group has a part in: a mask of the group's entries."""
    masks: dict[str, Tensor] = {}
    for member in group.members:
        layer = model.get_submodule(member.layer)
        for name, parameter in layer.named_parameters(recurse=False):
            mask = masks.setdefault(
                f"{member.layer}.{name}", torch.zeros_like(parameter, dtype=torch.bool)
            )
            _mark(layer, mask, member)
    return masks


def _mark(layer: nn.Module, mask: Tensor, member: Member) -> None:
    """Set the entries of one parameter that write, or read, the member's channels."""
    if member.side == "in" and mask.ndim == 1:
        return  # a bias reads no channel
    for channel in member.index.ravel().tolist():
        if member.side == "in":
            mask[reading_entries(layer, channel)] = True
        else:
            mask[writing_entries(layer, channel) if mask.ndim > 1 else channel] = True
