"""Learning rate schedules: pure functions of the position in training.

A schedule gives the factor on the optimizer's learning rate for 0 <= step < total_steps. It has no
state, so a training that resumes needs only the number of its step.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated

from pydantic import Field

from prunetune.config.parts import Named, Params
from prunetune.registry import schedules

WarmupEpochs = Annotated[
    float, Field(ge=0, description="epochs of a linear rise to the full learning rate")
]
Schedule = Callable[[int, int, int], float]


def build_schedule(named: Named) -> Schedule:
    """`schedule(step, total_steps, steps_per_epoch)` -> factor on the learning rate."""
    part, params = schedules.checked(named)
    return lambda step, total_steps, steps_per_epoch: float(
        part(params, step, total_steps, steps_per_epoch)
    )


class CosineParams(Params):
    """Parameters of `cosine`."""

    warmup_epochs: WarmupEpochs = 0.0


@schedules.register("cosine", params=CosineParams)
def cosine(params: CosineParams, step: int, total_steps: int, steps_per_epoch: int) -> float:
    """Half a cosine from one towards zero (SGDR without restarts, 1608.03983)."""
    warmup = params.warmup_epochs * steps_per_epoch
    if step < warmup:
        return _rise(step, warmup)
    return _half_cosine((step - warmup) / (total_steps - warmup), 1.0, 0.0)


class OneCycleParams(Params):
    """Parameters of `one_cycle`."""

    warmup_epochs: Annotated[
        float | None, Field(ge=0, description="epochs of rise; null: 30 % of the training")
    ] = None
    start: Annotated[float, Field(gt=0, le=1, description="first factor")] = 0.04
    end: Annotated[float, Field(ge=0, le=1, description="last factor")] = 4e-6


@schedules.register("one_cycle", params=OneCycleParams)
def one_cycle(params: OneCycleParams, step: int, total_steps: int, steps_per_epoch: int) -> float:
    """Half a cosine up to the full learning rate, and half a cosine down (1708.07120)."""
    if params.warmup_epochs is None:
        warmup = 0.3 * total_steps
    else:
        warmup = min(params.warmup_epochs * steps_per_epoch, total_steps)
    top, last = max(warmup - 1, 0.0), total_steps - 1
    if step < top:
        return _half_cosine(step / top, params.start, 1.0)
    return _half_cosine((step - top) / max(last - top, 1.0), 1.0, params.end)


class MultistepParams(Params):
    """Parameters of `multistep`."""

    milestones: Annotated[
        tuple[Annotated[float, Field(gt=0, lt=1)], ...],
        Field(description="shares of the training at which the learning rate falls"),
    ] = (0.5, 0.75)
    gamma: Annotated[float, Field(gt=0, le=1, description="factor of each fall")] = 0.1
    warmup_epochs: WarmupEpochs = 0.0


@schedules.register("multistep", params=MultistepParams)
def multistep(params: MultistepParams, step: int, total_steps: int, steps_per_epoch: int) -> float:
    """Falls by a factor at given shares of the training, since epochs differ between budgets."""
    falls = sum(step >= share * total_steps for share in params.milestones)
    return _rise(step, params.warmup_epochs * steps_per_epoch) * float(params.gamma**falls)


class ConstantParams(Params):
    """Parameters of `constant`."""

    warmup_epochs: WarmupEpochs = 0.0


@schedules.register("constant", params=ConstantParams)
def constant(params: ConstantParams, step: int, total_steps: int, steps_per_epoch: int) -> float:
    """The full learning rate after the warm-up."""
    return _rise(step, params.warmup_epochs * steps_per_epoch)


def _rise(step: int, warmup: float) -> float:
    """Linear over `warmup` steps; one at the last of these steps and after."""
    return min(1.0, (step + 1) / warmup) if warmup else 1.0


def _half_cosine(share: float, start: float, end: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
