"""Early stopping of a study's trials, and confirmation of its winner."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

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
    looks: tuple[Annotated[int, Field(ge=3, le=1000)], ...] | None = Field(
        default=None,
        description="numbers of seeds at which undecided pairs are judged and go on, such as "
        "[3, 5, 8, 12, 20], in place of seeds; null: one look, at all seeds",
    )
    contrasts: tuple[Literal["area", "tilt"], ...] | None = Field(
        default=None,
        description="what is compared of two whole frontiers before single budgets; null: area and "
        "tilt from four budgets on; []: single budgets at once",
    )

    @model_validator(mode="after")
    def _rising_looks(self) -> Self:
        if self.looks is None:
            return self
        if len(self.looks) < 2 or sorted(set(self.looks)) != list(self.looks):
            raise ValueError("looks: name two or more rising numbers of seeds")
        if "seeds" not in self.model_fields_set:  # the last look says how many there are at most
            object.__setattr__(self, "seeds", self.looks[-1])
        if self.seeds != self.looks[-1]:
            raise ValueError(
                f"looks end at {self.looks[-1]} seeds, but seeds says {self.seeds}: leave seeds out"
            )
        return self
