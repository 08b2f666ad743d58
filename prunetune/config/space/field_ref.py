"""One field of a model of parameters, as the expansion sees it: its type, default and condition."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Annotated, Any, cast, get_args, get_origin

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from prunetune.config.problems.errors import Problems
from prunetune.config.problems.pydantic_errors import (
    fields_of,
    kind_of,
    note_validation_errors,
    takes_null,
)
from prunetune.config.space.nodes import YamlNode
from prunetune.config.space.range_hints import range_meant
from prunetune.config.space.space import Dimension, Domain

Condition = tuple[tuple[str, Any], ...]
"""(path, value) of every dimension that must have been drawn so for the field to exist."""


@dataclass(frozen=True)
class FieldRef:
    """Field `name` of `model`, at the dotted `path` of a config, under the condition `when`."""

    model: type[BaseModel]
    name: str
    path: str
    when: Condition
    is_entry: bool = False
    """Whether this is one entry of the field, which then is a mapping; an entry has no default."""

    @property
    def field(self) -> FieldInfo:
        """Pydantic's description of the field, or of the values of its entries."""
        return _field(self.model, self.name, self.is_entry)

    @property
    def is_mapping(self) -> bool:
        """Whether the field holds values by name, each of which may be a range."""
        return get_origin(self.field.annotation) is dict

    def entry(self, key: str) -> FieldRef:
        """The entry `key` of a field that is a mapping."""
        return replace(self, path=f"{self.path}.{key}", is_entry=True)

    @property
    def nullable(self) -> bool:
        """Whether the field takes null."""
        return takes_null(self.field.annotation)

    @property
    def default(self) -> Any:
        """The default as a file would state it."""
        return to_jsonable_python(self.field.get_default(call_default_factory=True), by_alias=True)

    def check(self, node: YamlNode, problems: Problems) -> Any:
        """The value as the field holds it, as JSON (a whole number for a float becomes a float).

        Reading is strict: text never counts as a number, and true never as 1. For a value that the
        field does not take, the result is None and a problem is noted.
        """
        try:
            value = _adapter(self.model, self.name, self.is_entry).validate_json(
                json.dumps(node.value), strict=True
            )
        except ValidationError as error:
            searched = node.path[:1] != ("workload",)  # the dense network has constants only
            if searched and (meant := self._range_meant(node.value)):
                problems.add(node.path, "is no range here", value=node.value, meant=meant)
                return None
            note_validation_errors(error, problems, tree=node.value, path=node.path, of=self.field)
            return None
        return to_jsonable_python(value, by_alias=True)

    def _range_meant(self, value: Any) -> str | None:
        """The range that a wrong value seems to mean; a list only where its items fit the field."""
        if isinstance(value, list) and not all(map(self._takes, value)):
            return None
        return range_meant(value)

    def _takes(self, value: Any) -> bool:
        try:
            _adapter(self.model, self.name, self.is_entry).validate_json(
                json.dumps(value), strict=True
            )
        except ValidationError:
            return False
        return True

    def dimension(self, domain: Domain) -> Dimension:
        """The dimension of this field with `domain`."""
        if self.field.is_required():
            return Dimension(path=self.path, domain=domain, when=self.when)
        default = self.default
        if kind_of(self.field) and isinstance(default, Mapping):
            default = next(iter(default))  # the name alone: its parameters have their own defaults
        return Dimension(
            path=self.path, domain=domain, when=self.when, default=default, has_default=True
        )


@cache
def _field(model: type[BaseModel], name: str, is_entry: bool) -> FieldInfo:
    field = fields_of(model)[name]
    return FieldInfo.from_annotation(get_args(field.annotation)[1]) if is_entry else field


@cache
def _adapter(model: type[BaseModel], name: str, is_entry: bool) -> TypeAdapter[Any]:
    field = _field(model, name, is_entry)
    annotation: Any = field.annotation
    if field.metadata:
        annotation = cast(Any, Annotated)[(annotation, *field.metadata)]
    return TypeAdapter(annotation, config=ConfigDict(allow_inf_nan=False))
