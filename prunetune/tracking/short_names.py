"""Searched values under short names, and as powers of ten where they are searched in logarithms.

MLflow's parallel coordinates know linear axes alone, and have little room for names. So a search
trial bears each searched value a second time, in the form in which an axis can show it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache

from prunetune.config.space.space import Config, Dimension, Float, Int
from prunetune.plan import Plan, Study


def search_axes(plan: Plan, study: Study) -> Iterator[tuple[Dimension, str]]:
    """The searched dimensions of a study, each with the name of its axis: `log10 lr`."""
    searched = {d.path: None for s in plan.studies for d in s.space.dimensions if d.searched}
    names = _shortened(tuple(searched))
    for dimension in study.space.dimensions:
        if dimension.searched:
            log = "log10 " if _in_logarithms(dimension) else ""
            yield dimension, log + names[dimension.path]


def short_params(plan: Plan, study: Study, config: Config) -> dict[str, str]:
    """The searched values of a configuration by the names of their axes."""
    params = {}
    for dimension, name in search_axes(plan, study):
        if dimension.path in config:
            value = config[dimension.path]
            params[name] = f"{math.log10(value):.4f}" if _in_logarithms(dimension) else str(value)
    return params


def _in_logarithms(dimension: Dimension) -> bool:
    return isinstance(dimension.domain, Int | Float) and dimension.domain.log


@lru_cache
def _shortened(paths: tuple[str, ...]) -> dict[str, str]:
    """Each path's shortest ending that no other path shares."""
    words = {path: path.split(".") for path in paths}

    def ending(path: str) -> str:
        for n in range(1, len(words[path])):
            end = words[path][-n:]
            if not any(words[other][-n:] == end for other in paths if other != path):
                return ".".join(end)
        return path

    return {path: ending(path) for path in paths}
