"""The parameters of channel pruning."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from prunetune.compress.budget.ranking import CostAware, Scope
from prunetune.compress.regularizer import Sparsify
from prunetune.config.parts import Kind, Named, Params

RoundSchedule = Literal["geometric", "linear", "cubic"]


class Gradual(Params):
    """Units are removed while the network trains: masked round after round, cut at the end."""

    epochs: Annotated[
        int,
        Field(
            ge=1,
            description="the trial's first epochs, or all if it has fewer; at their end the budget"
            " is met",
        ),
    ]
    every: Annotated[
        int | None,
        Field(
            ge=1,
            description="optimizer steps between two removals of `units` (Crowley et al.); "
            "null: the rounds of `steps`, spread evenly",
        ),
    ] = None
    units: Annotated[int, Field(ge=1, description="units removed at once, with `every`")] = 1


class ChannelPruningParams(Params):
    """Parameters of `channel_pruning`."""

    criterion: Annotated[Named, Kind("criteria")] = Named(name="magnitude")
    scope: Annotated[
        Scope,
        Field(
            description="local: the same share of every group; global: one ranking over all groups;"
            " protected_global: the same, but every group keeps at least the share `floor`;"
            " isomorphic: one ranking for each class of groups with alike layers, the same share of"
            " every class; per_group: shares in proportion to `ratios`"
        ),
    ] = "protected_global"
    floor: Annotated[
        float,
        Field(
            ge=0,
            lt=1,
            description="for protected_global: the share of every group that stays; in other scopes"
            " a group keeps one unit. 0, in every scope: a residual block may lose all its inner"
            " channels and is then removed (bottlenecks keep one)",
        ),
    ] = 0.1
    ratios: Annotated[
        dict[str, Annotated[float, Field(ge=0)]],
        Field(
            description="for per_group: relative rates of removal by the start of a group's name,"
            " with / for . (layer3/0: 0.5). The longest match counts; 0: stays whole; no match: 1"
        ),
    ] = {}  # noqa: RUF012 - pydantic copies it
    cost_aware: Annotated[
        CostAware,
        Field(
            description="divide: scores are divided by the MACs of a unit; subtract: `cost_weight`"
            " times the MACs is subtracted (Theis et al.). Both are relative to their means in the"
            " current network"
        ),
    ] = "none"
    cost_weight: Annotated[float, Field(ge=0, description="for cost_aware subtract")] = 1.0
    steps: Annotated[int, Field(ge=1, description="rounds; units are scored anew in each")] = 1
    schedule: Annotated[
        RoundSchedule,
        Field(description="how MACs fall over the rounds; geometric: by equal factors"),
    ] = "geometric"
    gradual: Annotated[
        Gradual | None, Field(description="the rounds take place during training; null: before it")
    ] = None
    recalibrate: Annotated[
        int, Field(ge=0, description="images to measure batch norm statistics on anew; 0: none")
    ] = 1024
    round_to: Annotated[
        int,
        Field(
            ge=1,
            description="widths are multiples of this number, but for groups that are narrower than"
            " it; 1: any width",
        ),
    ] = 1
    sparsify: Sparsify | None = None
