"""The typed tree of a value in `arms` or `recipe`: a constant, a range, a named part, a mapping.

`reading.py` makes the tree from the raw YAML. The check of the file and the expansion into
dimensions both work on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from prunetune.config.budget import Budget, RecordedBudget
from prunetune.config.problems.errors import Problems, YamlPath
from prunetune.config.space.space import Float, Int

CHOICE, BY_BUDGET, FROM = "choice", "by_budget", "from"
RANGE_WORDS = (CHOICE, "int", "float", BY_BUDGET)
"""The words that make a mapping several values."""
RESERVED = (*RANGE_WORDS, FROM)

RANGE_FORMS = {
    CHOICE: "{choice: [a, b]} or {choice: {a: {…}, b: {…}}}",
    "int": "{int: [low, high]}, with log: true or step: s",
    "float": "{float: [low, high]}, with log: true or step: s",
    BY_BUDGET: "{by_budget: {budget: value, …}}",
}


def range_word(value: Any) -> str | None:
    """The reserved word that makes a raw value a range; None where it is no range."""
    if not isinstance(value, Mapping):
        return None
    return next((word for word in RANGE_WORDS if word in value), None)


@dataclass(frozen=True)
class YamlNode:
    """A value and its place in the file. A plain `YamlNode` is a constant."""

    value: Any
    """The raw value."""
    path: YamlPath

    def below(self) -> Iterator[YamlNode]:
        """The nodes that this one directly holds."""
        return iter(())

    def walk(self) -> Iterator[YamlNode]:
        """This node and all nodes that it holds, directly or not."""
        yield self
        for node in self.below():
            yield from node.walk()


@dataclass(frozen=True)
class GroupNode(YamlNode):
    """A mapping without a reserved word."""

    entries: Mapping[Any, YamlNode]

    def below(self) -> Iterator[YamlNode]:
        """The values of the entries."""
        return iter(self.entries.values())


@dataclass(frozen=True)
class NamedNode(YamlNode):
    """A part: `name` or `{name: {its parameters}}`."""

    name: str
    params: YamlNode

    def below(self) -> Iterator[YamlNode]:
        """The parameters."""
        yield self.params


@dataclass(frozen=True)
class RangeNode(YamlNode):
    """`{int: [low, high]}` or `{float: [low, high]}`."""

    domain: Int | Float | None
    """None after a problem."""


@dataclass(frozen=True)
class ChoiceNode(YamlNode):
    """`{choice: …}`."""

    options: tuple[YamlNode, ...]
    """Options written as mappings are `NamedNode`s, all others are constants."""

    def below(self) -> Iterator[YamlNode]:
        """The options."""
        return iter(self.options)

    def refuse_repeated(self, option: YamlNode, value: Any, problems: Problems) -> None:
        """Note that `option`, which means `value`, stands a second time."""
        problems.add(option.path, "stands twice in this choice", value=value)


@dataclass(frozen=True)
class ByBudgetNode(YamlNode):
    """`{by_budget: {budget: value}}`."""

    values: tuple[tuple[Budget, YamlNode], ...]

    def below(self) -> Iterator[YamlNode]:
        """The value at each budget."""
        return (node for _, node in self.values)

    @property
    def complete(self) -> bool:
        """Whether every entry could be read."""
        return bool(self.values) and len(self.values) == len(self.value[BY_BUDGET])

    def refuse_missing(self, budget: Budget | RecordedBudget, problems: Problems) -> None:
        """Note that no entry is for `budget`."""
        problems.add((*self.path, BY_BUDGET), f"does not name the budget {budget}")
