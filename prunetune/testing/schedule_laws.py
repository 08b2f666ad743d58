"""The laws that every learning rate schedule must keep."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Any

from prunetune.config.parts import Named
from prunetune.registry import schedules

_LENGTHS = ((1, 1), (2, 1), (7, 7), (12, 4), (200, 10))
"""(total steps, steps per epoch) of the trainings that are tried."""


def check_schedule(name: str, params: Mapping[str, Any] | None = None) -> None:
    """Assert the laws of the registered schedule `name` with these parameters.

    - For every step of a training of any length, the factor is finite and at least 0.
    - At least one factor is above 0.
    - The factor of a step does not depend on earlier calls, so a resumed training has the same
      learning rates.
    """
    part, chosen = schedules.checked(Named(name=name, params=dict(params or {})))

    def factor(step: int, total: int, per_epoch: int) -> float:
        return float(part(chosen, step, total, per_epoch))

    for total, per_epoch in _LENGTHS:
        where = f"schedule {name!r} over {total} steps, {per_epoch} an epoch"
        factors = [factor(step, total, per_epoch) for step in range(total)]
        for step, value in enumerate(factors):
            assert math.isfinite(value) and value >= 0, (
                f"{where}: the factor of step {step} is {value}; it must be finite and at least 0"
            )
        assert max(factors) > 0, f"{where}: every factor is 0, so nothing would be learned"
        shuffled = random.Random(0).sample(range(total), total)
        again = {step: factor(step, total, per_epoch) for step in shuffled}
        assert [again[step] for step in range(total)] == factors, (
            f"{where}: the factor of a step depends on earlier calls; a schedule is a pure "
            "function of (params, step, total_steps, steps_per_epoch)"
        )
