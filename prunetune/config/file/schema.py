"""Prints every field that a sweep file may state, from the models themselves."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from prunetune.config.file.fields import TreeOf
from prunetune.config.file.model import SweepSpec
from prunetune.config.file.yaml import flow
from prunetune.config.problems.pydantic_errors import describe_field, fields_of, nested_model
from prunetune.config.space.nodes import RANGE_FORMS

_WIDTH = 100
_HEAD = """\
# A sweep file. It must state name, workload, budgets and arms; other fields show their defaults.
# A part is written as its name, or {name: {its parameters}}; a value in arms and recipe may be
"""


def skeleton() -> str:
    """A commented sweep file with all fields at their defaults; required fields have examples.

    The text is itself a valid sweep file.
    """
    ranges = "".join(f"#   {form}\n" for form in RANGE_FORMS.values())
    return _HEAD + ranges + "\n" + "\n".join(field_lines(SweepSpec)) + "\n"


def field_lines(
    model: type[BaseModel], values: BaseModel | None = None, indent: str = ""
) -> Iterator[str]:
    """The commented lines of a model's fields, with the given `values` or else the defaults."""
    for name, field in model.model_fields.items():
        value = _example(field) if values is None else getattr(values, name)
        yield from _field(field.alias or name, field, value, indent)


def _example(field: FieldInfo) -> Any:
    if not field.is_required():
        return field.get_default(call_default_factory=True)
    return field.examples[0] if field.examples else None


def _field(name: str, field: FieldInfo, value: Any, indent: str) -> Iterator[str]:
    below = nested_model(field.annotation)
    inside = get_args(field.annotation)
    entry = nested_model(inside[-1]) if inside and isinstance(value, dict) else None
    tree = next((mark.model for mark in field.metadata if isinstance(mark, TreeOf)), None)
    if tree and not indent:  # only the shared recipe is spelt out: the others have the same fields
        yield from _block(name, field, field_lines(tree, tree(), indent + "  "), indent)
    elif isinstance(value, BaseModel) and below:
        yield from _block(name, field, field_lines(type(value), value, indent + "  "), indent)
    elif entry:
        yield from _block(name, field, _entries(entry, value, indent + "  "), indent)
    elif below and field.is_required():
        yield from _block(name, field, field_lines(below, None, indent + "  "), indent)
    elif below:
        form = ", ".join(f"{key}: …" for key in fields_of(below))
        yield from _line(name, value, f"or {{{form}}}: {_about(below)}", indent)
    else:
        takes = describe_field(field)
        comment = f"{field.description} ({takes})" if field.description else takes
        yield from _line(name, value, comment, indent)


def _entries(model: type[BaseModel], examples: dict[str, Any], indent: str) -> Iterator[str]:
    """Named examples of a model: the first with all its fields, the others in their short form."""
    for i, (name, example) in enumerate(examples.items()):
        if i:
            yield f"{indent}{name}: {flow(example)}"
        else:
            yield f"{indent}{name}:"
            yield from field_lines(model, model.model_validate(example), indent + "  ")


def _block(name: str, field: FieldInfo, lines: Iterator[str], indent: str) -> Iterator[str]:
    about = field.description or _about(nested_model(field.annotation))
    yield f"{indent}{name}:" + (f"  # {about}" if about else "")
    yield from lines


def _about(model: type[BaseModel] | None) -> str:
    return ((model and model.__doc__) or "").strip().partition("\n")[0]


def _line(name: str, value: Any, comment: str, indent: str) -> Iterator[str]:
    text = f"{indent}{name}: {flow(to_jsonable_python(value))}"
    if len(text) + len(comment) + 4 > _WIDTH:
        yield from (f"{indent}# {row}" for row in wrap(comment, _WIDTH - len(indent) - 2))
        yield text
    else:
        yield f"{text}  # {comment}"
