"""Reads raw YAML values as typed nodes: the one place that knows how ranges are written."""

from __future__ import annotations

from collections.abc import Mapping, Sized
from typing import Any

from pydantic import BaseModel

from prunetune.config.budget import BUDGET_FORMS, Budget, read_budget
from prunetune.config.parts import NAMED_FORM, named_meant
from prunetune.config.problems.errors import MeantError, Problems, YamlPath
from prunetune.config.problems.pydantic_errors import fields_of, nested_model
from prunetune.config.space.nodes import (
    BY_BUDGET,
    CHOICE,
    RANGE_FORMS,
    RESERVED,
    ByBudgetNode,
    ChoiceNode,
    GroupNode,
    NamedNode,
    RangeNode,
    YamlNode,
    range_word,
)
from prunetune.config.space.range_hints import range_meant
from prunetune.config.space.ranges import read_numbers, refuse_other_keys

MOST_ENTRIES = 1000
"""Far more options, or values by budget, than anybody compares; each is checked on its own."""


def read_fields(
    tree: Mapping[str, Any],
    path: YamlPath,
    model: type[BaseModel],
    problems: Problems,
    origins: Mapping[str, YamlPath] | None = None,
) -> GroupNode:
    """A mapping of fields of `model`; unknown fields become problems and are left out.

    `path` is where the tree stands in the file; fields that stand elsewhere are in `origins`.
    """
    fields = fields_of(model)
    entries: dict[str, YamlNode] = {}
    for name, value in tree.items():
        place = (origins or {}).get(name, (*path, name))
        if name not in fields:
            problems.unknown(place, fields)
            continue
        below = nested_model(fields[name].annotation)
        if below and isinstance(value, Mapping) and not range_word(value):
            entries[name] = read_fields(value, place, below, problems)
        else:
            entries[name] = read_node(value, place, problems)
    return GroupNode(tree, path, entries)


def read_node(value: Any, path: YamlPath, problems: Problems) -> YamlNode:
    """The node of a raw value, whatever field it is for."""
    word = range_word(value)
    if word == CHOICE:
        return _read_choice(value, path, problems)
    if word == BY_BUDGET:
        return _read_by_budget(value, path, problems)
    if word:
        return RangeNode(value, path, read_numbers(value, path, problems))
    if isinstance(value, Mapping):
        entries = {key: read_node(below, (*path, key), problems) for key, below in value.items()}
        return GroupNode(value, path, entries)
    return YamlNode(value, path)


def read_named(value: Any, path: YamlPath, problems: Problems) -> NamedNode | None:
    """The part that `name` or `{name: {parameters}}` names; None after a problem."""
    if not _names_part(value, path, problems):
        return None
    if isinstance(value, str):
        return NamedNode(value, path, value, GroupNode({}, path, {}))
    ((name, params),) = value.items()
    return NamedNode(value, path, name, read_node(params or {}, (*path, name), problems))


def as_named(node: YamlNode, problems: Problems) -> NamedNode | None:
    """The part that a node means where the file must name a part; None after a problem."""
    if isinstance(node, NamedNode):
        return node
    if not isinstance(node, GroupNode):
        return read_named(node.value, node.path, problems)
    if not _names_part(node.value, node.path, problems):
        return None
    ((name, params),) = node.entries.items()
    if params.value is None:
        params = GroupNode({}, params.path, {})
    return NamedNode(node.value, node.path, name, params)


def _names_part(value: Any, path: YamlPath, problems: Problems) -> bool:
    """Whether `value` is `name` or `{name: {parameters}}`; everything else is a problem."""
    name, params, place = value, None, path
    if isinstance(value, Mapping) and len(value) == 1:
        ((name, params),) = value.items()
        place = (*path, name) if isinstance(name, str) else path
    if not isinstance(name, str) or not isinstance(params, Mapping | None):
        if meant := range_meant(value):
            problems.add(path, "is no range here", value=value, meant=meant)
        else:
            problems.add(place, NAMED_FORM, value=value, meant=named_meant(value))
        return False
    if name in RESERVED:
        problems.add(place, "a reserved word is no name", value=name, allowed="a name")
        return False
    return True


def _read_choice(tree: Mapping[str, Any], path: YamlPath, problems: Problems) -> ChoiceNode:
    refuse_other_keys(tree, path, problems, CHOICE)
    written, place = tree[CHOICE], (*path, CHOICE)
    raw: list[YamlNode] = []
    if isinstance(written, Mapping):
        raw = [YamlNode({name: params}, place) for name, params in written.items()]
    elif isinstance(written, list | tuple):
        raw = [YamlNode(value, (*place, i)) for i, value in enumerate(written)]
    else:
        problems.add(place, "not a choice", value=written, allowed=RANGE_FORMS[CHOICE])
        return ChoiceNode(tree, path, ())
    if not raw:
        problems.add(place, "a choice of nothing", allowed=RANGE_FORMS[CHOICE])
    if _too_many(raw, place, problems):
        return ChoiceNode(tree, path, ())
    options = []
    for option in raw:
        if word := range_word(option.value):
            problems.add(option.path, f"a choice cannot hold {{{word}: …}}", allowed="constants")
        elif isinstance(option.value, Mapping):
            options.append(read_named(option.value, option.path, problems) or option)
        else:
            options.append(option)
    choice = ChoiceNode(tree, path, tuple(options))
    _refuse_repeated_options(choice, problems)
    return choice


def _too_many(entries: Sized, place: YamlPath, problems: Problems) -> bool:
    """Whether there are more entries than a range may have, which becomes a problem."""
    if len(entries) <= MOST_ENTRIES:
        return False
    problems.add(place, f"has {len(entries):,} entries", allowed=f"at most {MOST_ENTRIES:,}")
    return True


def _refuse_repeated_options(choice: ChoiceNode, problems: Problems) -> None:
    seen: list[Any] = []
    for option in choice.options:
        value = option.name if isinstance(option, NamedNode) else option.value
        if isinstance(value, Mapping):  # not a part, which is already a problem
            continue
        if any(value == other and type(value) is type(other) for other in seen):
            choice.refuse_repeated(option, value, problems)
        seen.append(value)


def _read_by_budget(tree: Mapping[str, Any], path: YamlPath, problems: Problems) -> ByBudgetNode:
    refuse_other_keys(tree, path, problems, BY_BUDGET)
    written, place = tree[BY_BUDGET], (*path, BY_BUDGET)
    if not isinstance(written, Mapping) or not written:
        allowed = RANGE_FORMS[BY_BUDGET]
        problems.add(place, "not one value per budget", value=written, allowed=allowed)
        return ByBudgetNode(tree, path, ())
    if _too_many(written, place, problems):
        return ByBudgetNode(tree, path, ())
    values: list[tuple[Budget, YamlNode]] = []
    for key, value in written.items():
        at = (*place, key)
        try:
            budget = read_budget(key)
        except MeantError as error:
            problems.add(at, error.message, value=key, allowed=BUDGET_FORMS, meant=error.meant)
            continue
        if range_word(value) == BY_BUDGET:
            problems.add(at, "by_budget within by_budget", allowed="a constant or a range")
        elif any(budget.same(other) for other, _ in values):
            problems.add(at, "a second spelling of a budget that stands above")
        else:
            values.append((budget, read_node(value, at, problems)))
    return ByBudgetNode(tree, path, tuple(values))
