"""Expands a raw tree and a model of parameters into the dimensions of a space.

A tree holds constants, ranges and named parts, whose own parameters hold the same. Every value that
could be drawn (each option, both ends of a range) is checked against the field it is for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from prunetune.config.budget import RecordedBudget
from prunetune.config.problems.errors import Problems, YamlPath
from prunetune.config.problems.pydantic_errors import (
    describe_field,
    fields_of,
    kind_of,
    nested_model,
    note_validation_errors,
)
from prunetune.config.space.field_ref import Condition, FieldRef
from prunetune.config.space.nodes import (
    ByBudgetNode,
    ChoiceNode,
    GroupNode,
    NamedNode,
    RangeNode,
    YamlNode,
    range_word,
)
from prunetune.config.space.reading import as_named, read_fields, read_node
from prunetune.config.space.space import (
    Choice,
    Constant,
    Dimension,
    Domain,
    Float,
    Int,
    Space,
    subtree,
)

Lookup = Callable[[str, str], type[BaseModel]]
"""(kind, name) -> the model of that part's parameters; LookupError with `allowed` and `near`."""

MOST_CHECKED = 64
"""A range of at most so many whole numbers has every number checked, a longer one its ends."""


def expand(
    prefix: str,
    model: type[BaseModel],
    tree: Mapping[str, Any],
    *,
    lookup: Lookup,
    problems: Problems,
    path: YamlPath,
    origins: Mapping[str, YamlPath] | None = None,
    budget: RecordedBudget = None,
    dense_macs: int = 1,
) -> tuple[Dimension, ...]:
    """The dimensions of `tree`: one for every field of `model`, defaults included, in its order.

    Args:
        prefix: the dotted path of the dimensions' parent in a config.
        path: where the tree stands in the file.
        origins: the places of fields that stand elsewhere in the file.
        budget: selects the values of every `by_budget`.
        dense_macs: needed where a `by_budget` names MACs.
        problems: receives every mistake; a value with a mistake has no dimension.
    """
    found = problems.fork()
    expansion = _Expansion(lookup, found, budget, dense_macs)
    group = read_fields(tree, path, model, found, origins)
    dimensions = expansion.group(prefix, model, group, ())
    problems.merge(found.found)
    return tuple(dimensions)


@dataclass(frozen=True)
class _Expansion:
    lookup: Lookup
    problems: Problems
    budget: RecordedBudget
    dense_macs: int

    def group(
        self, prefix: str, model: type[BaseModel], node: YamlNode, when: Condition
    ) -> list[Dimension]:
        """The dimensions of a mapping of parameters."""
        if not isinstance(node.value, Mapping):
            self.problems.add(node.path, "must be a mapping of parameters", value=node.value)
            return []
        entries = node.entries if isinstance(node, GroupNode) else {}
        fields = fields_of(model)
        for name in entries if isinstance(node, GroupNode) else node.value:
            if name not in fields:
                self.problems.unknown((*node.path, name), fields)
        dimensions: list[Dimension] = []
        for name in fields:
            ref = FieldRef(model, name, f"{prefix}.{name}", when)
            dimensions += self.field(ref, entries.get(name), (*node.path, name))
        places = [node.path, *(entry.path for entry in entries.values())]
        if not any(map(self.problems.under, places)) and not any(d.searched for d in dimensions):
            self.check_together(prefix, model, dimensions, node.path)
        return dimensions

    def check_together(
        self, prefix: str, model: type[BaseModel], constants: list[Dimension], path: YamlPath
    ) -> None:
        """Check the constants of a group together, for the sake of the model's own validators."""
        config = Space(dimensions=tuple(constants)).draw(lambda dimension: None)
        values = subtree(config, prefix)
        try:
            model.model_validate(values)
        except ValidationError as error:
            note_validation_errors(error, self.problems, tree=values, path=path, of=model)

    def field(self, ref: FieldRef, written: YamlNode | None, path: YamlPath) -> list[Dimension]:
        """The dimensions of one field; several if it holds parameters of its own."""
        if written is not None:
            node = self.at_budget(written)
        elif ref.field.is_required():
            self.problems.add(path, "is missing", allowed=describe_field(ref.field))
            return []
        else:
            node = read_node(ref.default, path, self.problems)
        if node is None:
            return []
        if ref.is_mapping and isinstance(node, GroupNode) and node.entries:
            return self.entries(ref, node)
        kind, below = kind_of(ref.field), nested_model(ref.field.annotation)
        if not (kind or below) or (node.value is None and ref.nullable):
            return self.plain(ref, node)
        if kind:
            return self.named(ref, kind, node)
        if word := range_word(node.value):
            allowed = f"{{{word}: …}} for the fields in it"
            self.problems.add(node.path, "holds several values", allowed=allowed)
        elif below:
            return self.group(ref.path, below, node, ref.when)
        return []

    def entries(self, ref: FieldRef, group: GroupNode) -> list[Dimension]:
        """A dimension for each entry of a field that holds values by name."""
        dimensions: list[Dimension] = []
        for key, written in group.entries.items():
            if not isinstance(key, str) or not key or "." in key:
                message = "a name here must be text without dots: they separate the parts of a path"
                self.problems.add(written.path, message, value=key)
            elif node := self.at_budget(written):
                dimensions += self.plain(ref.entry(key), node)
        return dimensions

    def at_budget(self, node: YamlNode) -> YamlNode | None:
        """The value that counts at this budget; None after a problem."""
        if not isinstance(node, ByBudgetNode):
            return node
        if self.budget is None:
            message = "differs from budget to budget, but there is no budget here"
            self.problems.add(node.path, message, allowed="one value (in the arm's own recipe)")
            return None
        for written, value in node.values:
            if written.recorded(self.dense_macs) == self.budget:
                return value
        if node.complete:
            node.refuse_missing(self.budget, self.problems)
        return None

    def named(self, ref: FieldRef, kind: str, node: YamlNode) -> list[Dimension]:
        """The dimension of a name, then those of the parameters of each part it may be."""
        is_choice = isinstance(node, ChoiceNode)
        options = node.options if isinstance(node, ChoiceNode) else (node,)
        parts: dict[str | None, list[Dimension]] = {}
        for option in options:
            if option.value is None and ref.nullable:
                parts[None] = []
            elif (part := as_named(option, self.problems)) and part.name not in parts:
                when = (*ref.when, (ref.path, part.name)) if is_choice else ref.when
                parts[part.name] = self.part(ref, kind, part, when)
        if not parts:
            return []
        domain = Choice(options=tuple(parts)) if is_choice else Constant(value=next(iter(parts)))
        return [ref.dimension(domain), *(d for below in parts.values() for d in below)]

    def part(self, ref: FieldRef, kind: str, part: NamedNode, when: Condition) -> list[Dimension]:
        """The dimensions of a named part's parameters."""
        try:
            model = self.lookup(kind, part.name)
        except LookupError as error:
            self.problems.add(
                part.params.path,
                f"is not among the {kind}",
                value=part.name,
                allowed=", ".join(getattr(error, "allowed", ())),
                near=getattr(error, "near", None),
            )
            return []
        return self.group(f"{ref.path}.{part.name}", model, part.params, when)

    def plain(self, ref: FieldRef, node: YamlNode) -> list[Dimension]:
        """The dimension of a value that has no parameters; none after a problem."""
        domain: Domain | None
        if isinstance(node, ChoiceNode):
            domain = self.choice(ref, node)
        elif isinstance(node, RangeNode):
            domain = self.numbers(ref, node)
        else:
            domain = Constant(value=ref.check(node, self.problems))
        if domain is None or self.problems.under(node.path):
            return []
        return [ref.dimension(domain)]

    def choice(self, ref: FieldRef, node: ChoiceNode) -> Choice:
        """The options as the field holds them; two that become equal are a problem."""
        values: list[Any] = []
        for option in node.options:
            value = ref.check(option, self.problems)
            if value in values:
                node.refuse_repeated(option, value, self.problems)
            if not self.problems.under(option.path):
                values.append(value)
        return Choice(options=tuple(values))

    def numbers(self, ref: FieldRef, node: RangeNode) -> Int | Float | None:
        """The domain of a range whose ends, and numbers if they are few, the field takes."""
        domain = node.domain
        if domain is None:
            return None
        values: tuple[float, ...] = (domain.low, domain.high)
        if isinstance(domain, Int) and (domain.high - domain.low) // domain.step < MOST_CHECKED:
            values = tuple(range(domain.low, domain.high + 1, domain.step))
        place = (*node.path, domain.kind)
        for value in values:
            ref.check(YamlNode(value, place), self.problems)
            if self.problems.under(place):
                return None
        return domain
