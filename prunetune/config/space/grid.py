"""Counts and numbers all configurations of a space without listing them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from prunetune.config.space.space import Choice, Config, Constant, Domain, Float, Int, Space


class EndlessError(ValueError):
    """A dimension has infinitely many values; carries its path."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(f"{path} is a float range without step: a grid would never end")


class Grid:
    """The configurations of `space` in the order of its dimensions; the last changes fastest.

    Conditional dimensions multiply only the configurations in which they exist.

    Raises:
        EndlessError: a dimension is a float range without step.
    """

    def __init__(self, space: Space) -> None:
        self._dimensions = space.dimensions
        self._values = [values(d.domain, d.path) for d in space.dimensions]
        self._decides = {path for d in space.dimensions for path, _ in d.when}
        self._counts: dict[tuple[int, str], int] = {}

    @property
    def size(self) -> int:
        """The number of configurations; a property because `len` is limited to 63 bits."""
        return self._count(0, {})

    def __getitem__(self, rank: int) -> Config:
        if not 0 <= rank < self.size:
            raise IndexError(rank)
        config: Config = {}
        for i, dimension in enumerate(self._dimensions):
            if dimension.active(config):
                config[dimension.path], rank = self._pick(i, config, rank)
        return config

    def _pick(self, i: int, config: Config, rank: int) -> tuple[Any, int]:
        """The value of dimension `i`, and the rank among the configurations with this value."""
        path, options = self._dimensions[i].path, self._values[i]
        if path not in self._decides:
            place, rank = divmod(rank, self._count(i + 1, config))
            return options[place], rank
        for value in options:
            below = self._count(i + 1, {**config, path: value})
            if rank < below:
                return value, rank
            rank -= below
        raise AssertionError("the rank is below the count")

    def _count(self, i: int, config: Mapping[str, Any]) -> int:
        """The number of configurations of dimensions `i` and later, given earlier values."""
        if i == len(self._dimensions):
            return 1
        deciding = {path: value for path, value in config.items() if path in self._decides}
        memo = (i, json.dumps(deciding))
        if memo not in self._counts:
            self._counts[memo] = self._count_anew(i, deciding)
        return self._counts[memo]

    def _count_anew(self, i: int, config: Config) -> int:
        dimension = self._dimensions[i]
        if not dimension.active(config):
            return self._count(i + 1, config)
        if dimension.path not in self._decides:
            return len(self._values[i]) * self._count(i + 1, config)
        return sum(self._count(i + 1, {**config, dimension.path: v}) for v in self._values[i])


def values(domain: Domain, path: str) -> Sequence[Any]:
    """All values of a domain, lowest first.

    Raises:
        EndlessError: the domain is a float range without step; carries `path`.
    """
    match domain:
        case Constant(value=value):
            return [value]
        case Choice(options=options):
            return options
        case Int(low=low, high=high, step=step):
            return range(low, high + 1, step)
        case Float(low=low, high=high) if low == high:
            return [low]
        case Float(step=None):
            raise EndlessError(path)
        case Float():
            return [domain.tick(n) for n in range(domain.ticks)]
