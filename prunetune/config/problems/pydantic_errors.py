"""Describes pydantic's fields and errors in the words of a sweep file."""

from __future__ import annotations

import json
import re
import types
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from prunetune.config.parts import Form, Kind, Named, named_meant
from prunetune.config.problems.errors import MeantError, Problems, YamlPath, near_match

_PLAIN = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    type(None): "null",
    Named: "a name or {name: {its parameters}}",
    Any: "any value",
}
_BOUNDS = {Ge: ("ge", "at least"), Gt: ("gt", "above"), Le: ("le", "at most"), Lt: ("lt", "below")}


def fields_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a model by their names in the file."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def kind_of(field: FieldInfo) -> str | None:
    """The kind of part that a field names; None where it names no part."""
    return next((mark.kind for mark in field.metadata if isinstance(mark, Kind)), None)


def nested_model(annotation: Any) -> type[BaseModel] | None:
    """The model of parameters that a field holds or may hold; None if it holds none."""
    for kind in _members(annotation):
        if isinstance(kind, type) and issubclass(kind, BaseModel) and kind is not Named:
            return kind
    return None


def takes_null(annotation: Any) -> bool:
    """Whether a field with this annotation takes null."""
    return type(None) in _members(annotation)


def describe_field(field: FieldInfo) -> str:
    """The values that a field takes, such as `a number at least 0, below 1 or null`."""
    return _describe(field.annotation, field.metadata)


def _describe(annotation: Any, metadata: list[Any]) -> str:
    fields = [mark.metadata for mark in metadata if isinstance(mark, FieldInfo)]
    metadata = [*metadata, *(mark for inner in fields for mark in inner)]
    bounds = [
        f"{words} {getattr(mark, name):g}"
        for mark in metadata
        for bound, (name, words) in _BOUNDS.items()
        if isinstance(mark, bound)
    ]
    members = _members(annotation)
    words = [_one(member) for member in members if member is not type(None)]
    words = [mark.example for mark in metadata if isinstance(mark, Form)] or words
    text = " or ".join(words) + ("" if not bounds else " " + ", ".join(bounds))
    return (
        text
        + (", not empty" if any(isinstance(m, MinLen) for m in metadata) else "")
        + (" or null" if type(None) in members else "")
    )


def _one(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return " | ".join(
            json.dumps(a) if not isinstance(a, str) else a for a in get_args(annotation)
        )
    if len(members := _members(annotation)) > 1:
        return " | ".join(map(_one, members))
    if get_origin(annotation) is Annotated:
        return _describe(annotation.__origin__, list(annotation.__metadata__))
    if get_origin(annotation) in (tuple, list):
        inside = [a for a in get_args(annotation) if a is not Ellipsis]
        each = _one(inside[0]) if len(set(inside)) == 1 else _PLAIN[Any]
        return "a list" if each == _PLAIN[Any] else f"a list, each {each}"
    if get_origin(annotation) is dict or nested_model(annotation):
        return "a mapping"
    return _PLAIN.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _members(annotation: Any) -> tuple[Any, ...]:
    is_union = get_origin(annotation) in (Union, types.UnionType)
    return get_args(annotation) if is_union else (annotation,)


def note_validation_errors(
    error: ValidationError,
    problems: Problems,
    *,
    tree: Any,
    path: YamlPath,
    of: type[BaseModel] | FieldInfo,
) -> list[YamlPath]:
    """Note pydantic's errors about `tree` at `path` as problems; returns their places in `tree`.

    `of` is the model or field that the tree was checked against. Several errors about one value
    become one problem: pydantic reports one for each member of a union.
    """
    places: dict[YamlPath, list[Any]] = {}
    for detail in error.errors(include_url=False):
        places.setdefault(_within(tree, detail), []).append(detail)
    for loc, details in places.items():
        if details[0]["type"] == "too_short" and any(_below(loc, other) for other in places):
            continue  # it is too short only because every item of it is wrong
        if problems.full:
            break
        _note_at(loc, details, (*path, *loc), problems, of)
    return list(places)


def _note_at(
    loc: YamlPath,
    details: list[Any],
    path: YamlPath,
    problems: Problems,
    of: type[BaseModel] | FieldInfo,
) -> None:
    """Note the errors about one value, at `loc` within `of` and at `path` in the file."""
    if details[0]["type"] == "extra_forbidden":
        parent = nested_model(_at(of, loc[:-1])[0])
        problems.unknown(path, fields_of(parent) if parent else ())
        return
    field = _at(of, loc)[1]
    allowed = describe_field(field) if field else " | ".join(_literals(details)) or None
    if details[0]["type"] == "missing":
        problems.add(path, "is missing", allowed=allowed)
    else:
        _refuse(details, path, problems, allowed)


def _below(loc: YamlPath, other: YamlPath) -> bool:
    return len(other) > len(loc) and other[: len(loc)] == loc


def _refuse(details: list[Any], path: YamlPath, problems: Problems, allowed: str | None) -> None:
    value = details[0]["input"]
    if details[0]["type"] == "value_error":
        error = details[0]["ctx"]["error"]
        allowed = error.allowed if isinstance(error, MeantError) else None
    problems.add(
        path,
        ", or ".join(dict.fromkeys(_message(detail) for detail in details)),
        value=value,
        allowed=allowed,
        near=near_match(value, _literals(details)) if isinstance(value, str) else None,
        meant=_meant(details[0], value),
    )


def _meant(detail: Any, value: Any) -> str | None:
    """What the file should perhaps say instead of `value`."""
    if detail["type"] in ("tuple_type", "list_type"):
        return f"[{value}]" if isinstance(value, str | int | float) else None
    error = detail.get("ctx", {}).get("error")
    return error.meant if isinstance(error, MeantError) else named_meant(value)


_TYPES = {
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "string_type": "must be text (put it in quotes)",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "finite_number": "must be finite",
    "too_short": "must not be empty",
    "string_pattern_mismatch": "unknown value",
}


def _message(detail: Any) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "value_error":
        error = context["error"]
        return error.message if isinstance(error, MeantError) else str(error)
    if kind in _TYPES:
        return _TYPES[kind]
    if kind == "literal_error":
        return "unknown value"
    if kind == "too_long":
        return f"must not have more than {context['max_length']} entries"
    for name, words in _BOUNDS.values():
        if name in context:
            return f"must be {words} {context[name]:g}"
    return str(detail["msg"]).replace("Input should", "must").replace("Value should", "must")


def _literals(details: list[Any]) -> list[str]:
    expected = [d["ctx"]["expected"] for d in details if d["type"] == "literal_error"]
    return [name for text in expected for name in re.findall(r"'([^']*)'", text)]


def _within(tree: Any, detail: Any) -> YamlPath:
    """Where in `tree` an error lies: pydantic's place without the union members that it tried."""
    at: list[str | int] = []
    for part in detail["loc"]:
        inside = isinstance(tree, Mapping) and part in tree
        if inside or (isinstance(tree, list) and isinstance(part, int) and part < len(tree)):
            tree = tree[part]
        elif detail["type"] != "missing" or part != detail["loc"][-1]:
            continue
        at.append(part)
    return tuple(at)


def _at(of: type[BaseModel] | FieldInfo, loc: YamlPath) -> tuple[Any, FieldInfo | None]:
    """The annotation at `loc`, and the field if there is one at `loc`."""
    field = of if isinstance(of, FieldInfo) else None
    annotation: Any = field.annotation if field else of
    for part in loc:
        if model := nested_model(annotation):
            field = fields_of(model).get(str(part))
            annotation = field.annotation if field else None
        else:  # dict[str, X], tuple[X, ...]
            inside = [a for a in get_args(annotation) if a is not Ellipsis]
            annotation, field = (inside[-1] if inside else None), None
    return annotation, field
