"""Types of single fields of a sweep file: names, budgets, matchings, raw trees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, WithJsonSchema

from prunetune.config.budget import BUDGET_FORMS, read_budget
from prunetune.config.file.names import arm_name, module_name, sweep_name
from prunetune.config.file.tracking_uri import tracking_uri
from prunetune.config.matching import Matching
from prunetune.config.recipe import Recipe


@dataclass(frozen=True)
class TreeOf:
    """Marks a raw tree with the model that its drawn values will fill."""

    model: type[BaseModel]


def _checked_budget(written: Any) -> Any:
    try:
        read_budget(written)
    except ValueError as error:
        raise ValueError(f"{error}; allowed: {BUDGET_FORMS}") from error
    return written


def _as_tuple(value: Any) -> Any:
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


def _without_repeats(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(set(values)) < len(values):
        raise ValueError("names a matching twice")
    return values


RecipeTree = Annotated[dict[str, Any], TreeOf(Recipe)]
"""Fields of a recipe, each a constant or a range."""
SweepName = Annotated[str, AfterValidator(sweep_name)]
ArmName = Annotated[str, AfterValidator(arm_name)]
ModuleName = Annotated[str, AfterValidator(module_name)]
TrackingUri = Annotated[str, AfterValidator(tracking_uri)]
WrittenBudget = Annotated[
    Any,
    AfterValidator(_checked_budget),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string"}, {"type": "object"}]}),
]
Matchings = Annotated[
    tuple[Matching, ...],
    BeforeValidator(_as_tuple, json_schema_input_type=Matching | tuple[Matching, ...]),
    AfterValidator(_without_repeats),
    Field(min_length=1),
]
"""One matching, or a list of them."""
