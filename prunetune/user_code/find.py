"""Finds a class by its import path; every error names the class and the cure."""

from __future__ import annotations

import importlib
from typing import Any

from prunetune.config.problems.errors import near_match


class ClassError(ValueError):
    """A class of the user's cannot be had or called; `field` is the parameter that is wrong."""

    exit_code = 2

    def __init__(self, message: str, field: str = "class") -> None:
        self.field = field
        super().__init__(message)


def find(path: str) -> Any:
    """The class or function at an import path.

    Raises:
        ClassError: its module cannot be imported, or does not have it.
    """
    module, _, name = path.rpartition(".")
    try:
        imported = importlib.import_module(module)
    except Exception as error:  # its author has to mend it
        why = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise ClassError(
            f"{path} cannot be imported: {why}{missing_cure(error, module)}"
        ) from error
    if not hasattr(imported, name):
        near = near_match(name, vars(imported))
        hint = f"; did you mean {module}.{near}?" if near else ""
        where = getattr(imported, "__file__", None) or "built in"
        raise ClassError(f"{path} cannot be imported: {module} ({where}) has no {name}{hint}")
    found = getattr(imported, name)
    if not callable(found):
        raise ClassError(f"{path} is no class, but an object of {type(found).__name__}")
    return found


def missing_cure(error: Exception, module: str) -> str:
    """Where to put a module that is missing; empty if the error says something else."""
    if not isinstance(error, ModuleNotFoundError) or not f"{module}.".startswith(f"{error.name}."):
        return ""
    first = module.partition(".")[0]
    return f"; put {first} beside the sweep file, or install it (on all nodes of a cluster)"
