"""The space that a study searches: an ordered list of dimensions, each with its condition.

The name of a dimension is the dotted path of its value in a record's config. A conditional
dimension (`recipe.optimizer.sgd.lr`) states the value that must have been drawn before it
(`recipe.optimizer = sgd`). Conditions refer only to earlier dimensions, so that one pass over the
list draws a configuration, checks one, or counts them all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from prunetune.config.parts import Params

_TICK_TOLERANCE = 1e-6
"""The share of a step by which a sum of binary fractions may miss a tick."""

Config = dict[str, Any]
"""Dotted path -> JSON value: all effective values of a trial, constants and defaults included."""


class Constant(Params):
    """One value, with nothing to search."""

    kind: Literal["constant"] = "constant"
    value: Any

    def holds(self, value: Any) -> bool:
        """Whether `value` is the constant."""
        return bool(value == self.value)


class Choice(Params):
    """One of several values, without order."""

    kind: Literal["choice"] = "choice"
    options: tuple[Any, ...]

    def holds(self, value: Any) -> bool:
        """Whether `value` is among the options."""
        return any(bool(value == option) for option in self.options)


class Int(Params):
    """A whole number from `low` to `high`, both included."""

    kind: Literal["int"] = "int"
    low: int
    high: int
    step: int = 1
    log: bool = False

    def holds(self, value: Any) -> bool:
        """Whether `value` is a whole number of the range and on its grid."""
        whole = isinstance(value, int) and not isinstance(value, bool)
        return whole and self.low <= value <= self.high and (value - self.low) % self.step == 0


class Float(Params):
    """A number from `low` to `high`, both included; `step` makes it a grid."""

    kind: Literal["float"] = "float"
    low: float
    high: float
    step: float | None = None
    log: bool = False

    def holds(self, value: Any) -> bool:
        """Whether `value` is a number of the range, and on its grid where it has a step."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not self.low <= value <= self.high:
            return False
        if self.step is None:
            return True
        ticks = (value - self.low) / self.step
        return bool(abs(ticks - round(ticks)) < _TICK_TOLERANCE)

    @property
    def ticks(self) -> int:
        """The number of values of a range with a step."""
        assert self.step is not None
        return int((self.high - self.low) / self.step + _TICK_TOLERANCE) + 1

    def tick(self, n: int) -> float:
        """Value `n` of a range with a step, rounded to 12 digits: 0.3, not 0.30000000000000004."""
        assert self.step is not None
        return min(max(float(f"{self.low + n * self.step:.12g}"), self.low), self.high)


Domain = Annotated[Constant | Choice | Int | Float, Field(discriminator="kind")]


class Dimension(Params):
    """One value of a configuration: its path, its domain and its condition."""

    path: str
    domain: Domain
    when: tuple[tuple[str, Any], ...] = ()
    default: Any = None
    has_default: bool = False

    @property
    def searched(self) -> bool:
        """Whether there is more than a constant."""
        return not isinstance(self.domain, Constant)

    def active(self, config: Mapping[str, Any]) -> bool:
        """Whether this dimension exists, given the values drawn so far."""
        return all(path in config and config[path] == value for path, value in self.when)


class Space(Params):
    """All dimensions of a study, in the order in which they are drawn."""

    dimensions: tuple[Dimension, ...] = ()

    def draw(self, suggest: Callable[[Dimension], Any]) -> Config:
        """A whole configuration; `suggest` chooses the value of each searched dimension."""
        config: Config = {}
        for dimension in self.dimensions:
            if dimension.active(config):
                domain = dimension.domain
                config[dimension.path] = (
                    domain.value if isinstance(domain, Constant) else suggest(dimension)
                )
        return config

    def constants(self) -> Config:
        """The only configuration of a space without ranges.

        Raises:
            ValueError: a dimension is searched.
        """

        def refuse(dimension: Dimension) -> Any:
            raise ValueError(f"{dimension.path} is a range, not a constant")

        return self.draw(refuse)

    def searched(self, config: Mapping[str, Any]) -> Config:
        """The values in `config` that were chosen, which a sampler learns from; no constants."""
        return {d.path: config[d.path] for d in self.dimensions if d.searched and d.path in config}

    def salient(self, config: Mapping[str, Any]) -> Config:
        """`config` without values at their default: the part that enters a trial's key."""
        defaults = {d.path: d.default for d in self.dimensions if d.has_default}
        return {
            path: value
            for path, value in config.items()
            if path not in defaults or defaults[path] != value
        }

    def problems(self, config: Mapping[str, Any]) -> list[str]:
        """Why `config` is not a point of this space, one line per reason; empty if it is one."""
        reasons = []
        known: set[str] = set()
        for dimension in self.dimensions:
            path = dimension.path
            if not dimension.active(config):
                continue
            known.add(path)
            if path not in config:
                reasons.append(f"{path} is not named")
            elif not dimension.domain.holds(config[path]):
                domain = describe_domain(dimension.domain)
                reasons.append(f"{path}: {config[path]!r} is not within {domain}")
        reasons.extend(
            f"{path} is not searched by this arm" for path in config if path not in known
        )
        return reasons


def describe_domain(domain: Constant | Choice | Int | Float) -> str:
    """The domain as a sweep file would state it."""
    match domain:
        case Constant(value=value):
            return repr(value)
        case Choice(options=options):
            return f"{{choice: {list(options)}}}"
        case Int() | Float():
            extra = (", log: true" if domain.log else "") + (
                f", step: {domain.step}" if domain.step not in (None, 1) else ""
            )
            return f"{{{domain.kind}: [{domain.low}, {domain.high}]{extra}}}"


def any_value(domain: Constant | Choice | Int | Float) -> Any:
    """An arbitrary value of the domain: the constant, the first option or the low end."""
    match domain:
        case Constant(value=value):
            return value
        case Choice(options=options):
            return options[0]
        case Int(low=low) | Float(low=low):
            return low


def subtree(config: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """The dotted values under `prefix`, as the nested mapping that a model of parameters reads.

    A named part becomes its name with its parameters below the name:
    `{"a.opt": "sgd", "a.opt.sgd.lr": 0.1}` under `a` gives `{"opt": {"sgd": {"lr": 0.1}}}`.
    """
    tree: dict[str, Any] = {}
    start = prefix + "."
    for path in sorted(p for p in config if p.startswith(start)):
        *parents, leaf = path[len(start) :].split(".")
        node = tree
        for parent in parents:
            below = node.get(parent)
            if not isinstance(below, dict):  # a name that turns out to have parameters
                below = node[parent] = {} if below is None else {below: {}}
            node = below
        node[leaf] = config[path]
    return tree


def flatten(tree: Mapping[str, Any], prefix: Sequence[str] = ()) -> Config:
    """Nested mappings as a flat mapping of dotted paths."""
    flat: Config = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat.update(flatten(value, (*prefix, key)))
        else:
            flat[".".join((*prefix, key))] = value
    return flat
