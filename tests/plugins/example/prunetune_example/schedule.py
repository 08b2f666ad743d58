"""A learning rate that falls to zero as a power of the remaining share of training."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from prunetune.plugin import Params, schedules


class PolynomialParams(Params):
    """Parameters of `polynomial`."""

    power: Annotated[float, Field(gt=0, description="exponent; 1: a straight line")] = 1.0


@schedules.register("polynomial", params=PolynomialParams)
def polynomial(
    params: PolynomialParams, step: int, total_steps: int, steps_per_epoch: int
) -> float:
    """The share of training that remains, raised to a power."""
    return float((1 - step / total_steps) ** params.power)
