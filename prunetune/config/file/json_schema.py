"""The JSON Schema of a sweep file, by which editors complete it and mark what is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from prunetune.config.file.fields import TREE_KEY
from prunetune.config.file.model import SweepSpec
from prunetune.config.parts import KIND_KEY
from prunetune.config.recipe import Recipe
from prunetune.config.space.nodes import RANGE_FORMS

PartParams = Mapping[str, Mapping[str, type[BaseModel]]]
"""Kind -> name -> the model of that part's parameters."""
_Schema = dict[str, Any]
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_SEARCHED = ("methods", "criteria", "regularizers", "optimizers", "schedules")
"""Kinds whose names and parameters may be ranges."""
_RANGE: _Schema = {
    "title": "Range",
    "description": "; ".join(RANGE_FORMS.values()),
    "type": "object",
    "minProperties": 1,
    "properties": {
        "choice": {"type": ["array", "object"]},
        "int": {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2},
        "float": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
        "by_budget": {"type": "object"},
        "log": {"type": "boolean"},
        "step": {"type": "number"},
    },
    "additionalProperties": False,
}
_ANY_PARAMETERS: _Schema = {"type": ["object", "null"]}


def json_schema(parts: PartParams | None = None) -> _Schema:
    """The JSON Schema of a sweep file.

    `parts` adds the names of parts and their parameters. Other names stay allowed, because a
    sweep's plug-ins may register them.
    """
    params = [model for of_kind in (parts or {}).values() for model in of_kind.values()]
    models: list[type[BaseModel]] = list(dict.fromkeys((SweepSpec, Recipe, *params)))
    refs, whole = models_json_schema([(model, "validation") for model in models])
    names = {model: refs[model, "validation"]["$ref"].rpartition("/")[2] for model in models}
    defs: dict[str, _Schema] = whole["$defs"]
    searched = [model for kind in _SEARCHED for model in (parts or {}).get(kind, {}).values()]
    with_ranges: list[type[BaseModel]] = [Recipe, *searched]
    for name in set(_reachable([names[model] for model in with_ranges], defs)):
        _allow_ranges(defs[name])
    tree = defs[names[Recipe]]
    tree["properties"] |= {"from": {"type": "string"}, "match": {"type": "string"}}
    defs["Range"] = _RANGE
    defs["Named"] = _named_form({})
    for kind in sorted({*(parts or {}), *_kinds_in(defs)}):
        known = {name: names[model] for name, model in (parts or {}).get(kind, {}).items()}
        form = _named_form(known)
        if kind in _SEARCHED:
            form["anyOf"].append({"$ref": "#/$defs/Range"})
        defs[kind] = form
    for model in defs.values():  # the first paragraph of a docstring is for everybody
        if "description" in model:
            model["description"] = model["description"].partition("\n\n")[0]
    whole = _with_kinds({**defs.pop(names[SweepSpec]), "$defs": defs})
    return {"$schema": _DIALECT, **whole}


def _named_form(known: Mapping[str, str]) -> _Schema:
    """A name, or a mapping from it to its parameters; `known` has the definitions of those."""
    parameters = {
        name: {"anyOf": [{"$ref": f"#/$defs/{model}"}, {"type": "null"}]}
        for name, model in known.items()
    }
    names = [{"enum": list(known)}] if known else []
    return {
        "title": "Named",
        "description": "a name or {name: {its parameters}}",
        "anyOf": [
            *names,
            {"type": "string"},
            {
                "type": "object",
                "minProperties": 1,
                "maxProperties": 1,
                **({"properties": parameters} if known else {}),
                "additionalProperties": _ANY_PARAMETERS,
            },
        ],
    }


def _allow_ranges(model: _Schema) -> None:
    """Let every field of the model be a range instead of a value."""
    for name, field in model.get("properties", {}).items():
        about = {key: field.pop(key) for key in ("description", "default") if key in field}
        model["properties"][name] = {"anyOf": [field, {"$ref": "#/$defs/Range"}], **about}


def _reachable(names: list[str], defs: Mapping[str, _Schema]) -> Iterator[str]:
    """The definitions of these names, and those that they refer to."""
    waiting, seen = list(names), set()
    while waiting:
        if (name := waiting.pop()) in seen or name == "Named":
            continue
        seen.add(name)
        yield name
        waiting += [
            node["$ref"].rpartition("/")[2] for node in _nodes(defs[name]) if "$ref" in node
        ]


def _kinds_in(schema: Any) -> set[str]:
    """The kinds of parts that fields somewhere in the schema name."""
    return {node[KIND_KEY] for node in _nodes(schema) if KIND_KEY in node}


def _nodes(schema: Any) -> Iterator[_Schema]:
    """All mappings within the schema, itself included."""
    if isinstance(schema, dict):
        yield schema
    for below in schema.values() if isinstance(schema, dict) else schema:
        if isinstance(below, dict | list):
            yield from _nodes(below)


def _with_kinds(schema: Any) -> Any:
    """The schema in which each field that names a part refers to the parts of its kind."""
    if isinstance(schema, list):
        return [_with_kinds(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if kind := schema.get(KIND_KEY):
        kept = {key: schema[key] for key in ("description", "default", "examples") if key in schema}
        return {"$ref": f"#/$defs/{kind}", **kept}
    if TREE_KEY in schema:
        kept = {key: schema[key] for key in ("description", "default") if key in schema}
        return {"$ref": f"#/$defs/{schema[TREE_KEY]}", **kept}
    return {key: _with_kinds(below) for key, below in schema.items()}
