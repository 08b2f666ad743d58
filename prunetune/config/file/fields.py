"""Types of single fields of a sweep file: names, budgets, matchings, raw trees."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, WithJsonSchema

from prunetune.config.budget import BUDGET_FORMS, read_budget
from prunetune.config.matching import Matching
from prunetune.config.recipe import Recipe
from prunetune.config.space.nodes import RESERVED


@dataclass(frozen=True)
class TreeOf:
    """Marks a raw tree with the model that its drawn values will fill."""

    model: type[BaseModel]


def _plain_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}", text) or text.endswith("."):
        raise ValueError("must be up to 100 letters, digits and . _ + -, a letter or digit first")
    return text


def _sweep_name(text: str) -> str:
    if text in ("dense", "sparse"):  # the names of folders beside the sweeps' own
        raise ValueError(f"is taken by the {text} networks that sweeps share")
    return _plain_name(text)


def _arm_name(text: str) -> str:
    if text in RESERVED:
        raise ValueError(f"is a reserved word, as are {', '.join(RESERVED)}")
    return _plain_name(text)


def _checked_budget(written: Any) -> Any:
    try:
        read_budget(written)
    except ValueError as error:
        raise ValueError(f"{error}; allowed: {BUDGET_FORMS}") from error
    return written


def _module_name(text: str) -> str:
    if not all(part.isidentifier() for part in text.split(".")):
        raise ValueError("must be the name of a Python module, like package.module")
    return text


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
SweepName = Annotated[str, AfterValidator(_sweep_name)]
ArmName = Annotated[str, AfterValidator(_arm_name)]
ModuleName = Annotated[str, AfterValidator(_module_name)]
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
