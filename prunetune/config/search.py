"""Early stopping of a study's trials, and confirmation of its winner."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from prunetune.config.parts import Params

FEWEST_TO_STOP = 8
"""Early stopping is off in studies of fewer trials: a rank among so few is mostly luck."""


class Asha(Params):
    """Asynchronous successive halving within a study (Li et al., 1810.05934)."""

    reduction: int = Field(default=3, ge=2)
    run_on: int = Field(default=2, ge=0, description="trials per study that are never stopped")


class Confirm(Params):
    """How winners are confirmed on fresh seeds."""

    seeds: int = Field(default=5, ge=1, le=1000)
    dense: Literal["fresh", "shared"] | None = Field(
        default=None, description="null: fresh if it is trained, shared if it is loaded"
    )
    top: int = Field(
        default=1, ge=1, description="best trials of a study that are scored again before one wins"
    )
    margin: float = Field(
        default=0.002, gt=0, description="difference in accuracy below which arms count as equal"
    )
    control: str | None = Field(
        default=None,
        description="an arm that all others are compared with; null: compare every pair",
    )
