"""From a raw tree and a model of parameters to the dimensions of a space.

A tree holds constants, ranges and named parts, whose own parameters hold the same. Every value that
could be drawn (each option, both ends of a range) is checked against the field it is for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from prunetune.config.problems.errors import Problems, YamlPath
from prunetune.config.problems.pydantic_errors import (
    describe_field,
    fields_of,
    kind_of,
    nested_model,
    translate,
)
from prunetune.config.space.field import Condition, FieldRef
from prunetune.config.space.ranges import (
    BY_BUDGET,
    CHOICE,
    Located,
    NamedTree,
    read_by_budget,
    read_choice,
    read_named,
    read_numbers,
    word_of,
)
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

FEW = 64
"""Up to so many whole numbers of a range are all checked."""


def expand(
    prefix: str,
    model: type[BaseModel],
    tree: Mapping[str, Any],
    *,
    lookup: Lookup,
    problems: Problems,
    path: YamlPath,
    origins: Mapping[str, YamlPath] | None = None,
    budget: float | str | None = None,
    dense_macs: int = 1,
) -> tuple[Dimension, ...]:
    """The dimensions of `tree`, one for every field of `model`, defaults included, in its order.

    `path` is where the tree stands in the file; fields that stand elsewhere are in `origins`.
    `budget` (as in records) says which value of a `by_budget` is meant; the dense MACs are needed
    where that names MACs. What is wrong becomes a problem and has no dimension.
    """
    found = Problems(problems.lines)
    expansion = _Expansion(lookup, found, budget, dense_macs)
    dimensions = expansion.group(prefix, model, Located(tree, path), (), origins or {})
    problems.found.extend(problem for problem in found.found if problem not in problems.found)
    return tuple(dimensions)


@dataclass(frozen=True)
class _Expansion:
    lookup: Lookup
    problems: Problems
    budget: float | str | None
    dense_macs: int

    def group(
        self,
        prefix: str,
        model: type[BaseModel],
        tree: Located,
        when: Condition,
        origins: Mapping[str, YamlPath],
    ) -> list[Dimension]:
        """The dimensions of a mapping of parameters."""
        if not isinstance(tree.value, Mapping):
            self.problems.add(tree.path, "must be a mapping of parameters", value=tree.value)
            return []
        before, fields = len(self.problems.found), fields_of(model)
        for name in tree.value:
            if name not in fields:
                self.problems.unknown(origins.get(name, (*tree.path, name)), fields)
        dimensions: list[Dimension] = []
        for name in fields:
            slot = FieldRef(model, name, f"{prefix}.{name}", when)
            dimensions += self.entry(slot, tree, origins.get(name, (*tree.path, name)))
        if len(self.problems.found) == before and not any(d.searched for d in dimensions):
            self.whole(prefix, model, dimensions, tree.path)
        return dimensions

    def whole(
        self, prefix: str, model: type[BaseModel], constants: list[Dimension], path: YamlPath
    ) -> None:
        """Check constants together, for the sake of the model's own validators."""
        config = Space(dimensions=tuple(constants)).draw(lambda dimension: None)
        values = subtree(config, prefix)
        try:
            model.model_validate(values)
        except ValidationError as error:
            translate(error, self.problems, tree=values, path=path, of=model)

    def entry(self, slot: FieldRef, group: Located, path: YamlPath) -> list[Dimension]:
        """The dimensions of one field, several if it holds parameters of its own."""
        if slot.name in group.value:
            tree = self.pick(Located(group.value[slot.name], path))
        elif slot.field.is_required():
            self.problems.add(path, "is missing", allowed=describe_field(slot.field))
            return []
        else:
            tree = Located(slot.default, path)
        if tree is None:
            return []
        if slot.mapping and isinstance(tree.value, Mapping) and not word_of(tree.value):
            return self.entries(slot, tree) if tree.value else self.plain(slot, tree)
        kind, below = kind_of(slot.field), nested_model(slot.field.annotation)
        if not (kind or below) or (tree.value is None and slot.nullable):
            return self.plain(slot, tree)
        if kind:
            return self.named(slot, kind, tree)
        if word := word_of(tree.value):
            allowed = f"{{{word}: …}} for the fields in it"
            self.problems.add(tree.path, "holds several values", allowed=allowed)
        elif below:
            return self.group(slot.path, below, tree, slot.when, {})
        return []

    def entries(self, slot: FieldRef, tree: Located) -> list[Dimension]:
        """A dimension for each entry of a mapping of values by name."""
        dimensions: list[Dimension] = []
        for key, value in tree.value.items():
            path = (*tree.path, key)
            if not isinstance(key, str) or not key or "." in key:
                message = "a name here must be text without dots, which config paths are made of"
                self.problems.add(path, message, value=key)
            elif entry := self.pick(Located(value, path)):
                dimensions += self.plain(slot.at(key), entry)
        return dimensions

    def pick(self, tree: Located) -> Located | None:
        """The value that is meant at this budget."""
        if word_of(tree.value) != BY_BUDGET:
            return tree
        if self.budget is None:
            message = "differs from budget to budget, where there is none"
            self.problems.add(tree.path, message, allowed="one value (in the arm's own recipe)")
            return None
        before = len(self.problems.found)
        for written, located in read_by_budget(tree.value, tree.path, self.problems):
            if written.recorded(self.dense_macs) == self.budget:
                return located
        if len(self.problems.found) == before:
            message = f"does not name the budget {self.budget}"
            self.problems.add((*tree.path, BY_BUDGET), message)
        return None

    def named(self, slot: FieldRef, kind: str, tree: Located) -> list[Dimension]:
        """The dimension of a name, then those of the parameters of each part it may be."""
        chosen = word_of(tree.value) == CHOICE
        options = read_choice(tree.value, tree.path, self.problems) if chosen else [tree]
        parts: dict[str | None, list[Dimension]] = {}
        for option in options:
            if option.value is None and slot.nullable:
                parts[None] = []
            elif part := read_named(option.value, option.path, self.problems):
                if part.name in parts:
                    message = "stands twice in this choice"
                    self.problems.add(option.path, message, value=part.name)
                    continue
                when = (*slot.when, (slot.path, part.name)) if chosen else slot.when
                parts[part.name] = self.part(slot, kind, part, when)
        if not parts:
            return []
        domain = Choice(options=tuple(parts)) if chosen else Constant(value=next(iter(parts)))
        return [slot.dimension(domain), *(d for below in parts.values() for d in below)]

    def part(self, slot: FieldRef, kind: str, part: NamedTree, when: Condition) -> list[Dimension]:
        """The dimensions of a named part's parameters."""
        try:
            model = self.lookup(kind, part.name)
        except LookupError as error:
            self.problems.add(
                part.path,
                f"is not among the {kind}",
                value=part.name,
                allowed=", ".join(getattr(error, "allowed", ())),
                near=getattr(error, "near", None),
            )
            return []
        params = Located(part.params, part.path)
        return self.group(f"{slot.path}.{part.name}", model, params, when, {})

    def plain(self, slot: FieldRef, tree: Located) -> list[Dimension]:
        """The dimension of a value that has no parameters; none after a problem."""
        word = word_of(tree.value)
        before = len(self.problems.found)
        domain: Domain | None
        if word == CHOICE:
            domain = self.choice(slot, tree)
        elif word:
            domain = self.numbers(slot, tree)
        else:
            domain = Constant(value=slot.check(tree, self.problems))
        if domain is None or len(self.problems.found) > before:
            return []
        return [slot.dimension(domain)]

    def choice(self, slot: FieldRef, tree: Located) -> Choice:
        """One of the options, each checked; the same one twice is a problem."""
        options: list[Any] = []
        for option in read_choice(tree.value, tree.path, self.problems):
            before = len(self.problems.found)
            value = slot.check(option, self.problems)
            if value in options:
                self.problems.add(option.path, "stands twice in this choice", value=value)
            if len(self.problems.found) == before:  # what is wrong is twice nothing
                options.append(value)
        return Choice(options=tuple(options))

    def numbers(self, slot: FieldRef, tree: Located) -> Int | Float | None:
        """A range of numbers: both ends are checked, and each of a few whole numbers."""
        domain = read_numbers(tree.value, tree.path, self.problems)
        if domain is None:
            return None
        values: tuple[float, ...] = (domain.low, domain.high)
        if isinstance(domain, Int) and (domain.high - domain.low) // domain.step < FEW:
            values = tuple(range(domain.low, domain.high + 1, domain.step))
        before = len(self.problems.found)
        for value in values:
            slot.check(Located(value, (*tree.path, domain.kind)), self.problems)
            if len(self.problems.found) > before:
                return None
        return domain
