"""Types of single fields of a sweep file: names, budgets, matchings, raw trees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    WithJsonSchema,
)
from pydantic_core import CoreSchema

from prunetune.config.budget import BUDGET_FORMS, read_budget
from prunetune.config.file.names import arm_name, module_name, sweep_name
from prunetune.config.file.tracking_uri import optuna_uri, tracking_uri
from prunetune.config.matching import Matching
from prunetune.config.problems.errors import MeantError
from prunetune.config.recipe import Recipe

TREE_KEY = "x-tree-of"
"""Marks a raw tree in a JSON Schema, with the name of the model that its values will fill."""


@dataclass(frozen=True)
class TreeOf:
    """Marks a raw tree with the model that its drawn values will fill."""

    model: type[BaseModel]

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """The field's JSON Schema, marked with the name of the model."""
        return {**handler(core_schema), TREE_KEY: self.model.__name__}


def _checked_budget(written: Any) -> Any:
    try:
        read_budget(written)
    except MeantError as error:
        raise MeantError(error.message, meant=error.meant, allowed=BUDGET_FORMS) from error
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
OptunaUri = Annotated[str, AfterValidator(optuna_uri)]
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
