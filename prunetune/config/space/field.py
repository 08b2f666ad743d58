"""One field of a model of parameters, as something to be given a dimension."""

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
from prunetune.config.problems.pydantic_errors import fields_of, kind_of, optional, translate
from prunetune.config.space.ranges import Located
from prunetune.config.space.space import Dimension, Domain

Condition = tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class FieldRef:
    """Field `name` of `model`, at the dotted `path` of a config, there only `when` others are."""

    model: type[BaseModel]
    name: str
    path: str
    when: Condition
    entry: bool = False
    """Whether it is an entry of the field, which is a mapping; it has no default then."""

    @property
    def field(self) -> FieldInfo:
        """What pydantic knows of it."""
        return _field(self.model, self.name, self.entry)

    @property
    def mapping(self) -> bool:
        """Whether it holds values by name, each of which may be a range."""
        return get_origin(self.field.annotation) is dict

    def at(self, key: str) -> FieldRef:
        """An entry of a mapping."""
        return replace(self, path=f"{self.path}.{key}", entry=True)

    @property
    def nullable(self) -> bool:
        """Whether null is one of its values."""
        return optional(self.field.annotation)

    @property
    def default(self) -> Any:
        """Its default as it would be written in a file."""
        return to_jsonable_python(self.field.get_default(call_default_factory=True), by_alias=True)

    def check(self, tree: Located, problems: Problems) -> Any:
        """The value as the field holds it, as JSON (a whole number for a float becomes one).

        It is read as JSON, strictly: no text is taken for a number, no truth for a 1. What the
        field does not take becomes a problem, and the value None.
        """
        try:
            value = _adapter(self.model, self.name, self.entry).validate_json(
                json.dumps(tree.value), strict=True
            )
        except ValidationError as error:
            translate(error, problems, tree=tree.value, path=tree.path, of=self.field)
            return None
        return to_jsonable_python(value, by_alias=True)

    def dimension(self, domain: Domain) -> Dimension:
        """The dimension that this slot has with `domain`."""
        if self.field.is_required():
            return Dimension(path=self.path, domain=domain, when=self.when)
        default = self.default
        if kind_of(self.field) and isinstance(default, Mapping):
            default = next(iter(default))  # its parameters have defaults of their own
        return Dimension(
            path=self.path, domain=domain, when=self.when, default=default, has_default=True
        )


@cache
def _field(model: type[BaseModel], name: str, entry: bool) -> FieldInfo:
    field = fields_of(model)[name]
    return FieldInfo.from_annotation(get_args(field.annotation)[1]) if entry else field


@cache
def _adapter(model: type[BaseModel], name: str, entry: bool) -> TypeAdapter[Any]:
    field = _field(model, name, entry)
    annotation: Any = field.annotation
    if field.metadata:
        annotation = cast(Any, Annotated)[(annotation, *field.metadata)]
    return TypeAdapter(annotation, config=ConfigDict(allow_inf_nan=False))
