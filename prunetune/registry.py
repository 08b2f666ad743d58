"""A registry of named parts: models, data sets, methods, criteria, regularizers, optimizers …

A part is an object (usually a class) with a pydantic model of its parameters. Built-in parts and a
user's parts register in the same way: by a decorator, in a module that the first look-up imports.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from prunetune.config.parts import Named
from prunetune.config.problems.errors import near_match
from prunetune.contracts import check_contract
from prunetune.user_code.find import missing_cure

_Part = TypeVar("_Part")


class UnknownNameError(LookupError):
    """No part of this kind has this name; carries the allowed names and the near match."""

    exit_code = 2

    def __init__(self, kind: str, name: str, allowed: tuple[str, ...]) -> None:
        self.kind, self.name, self.allowed = kind, name, allowed
        self.near = near_match(name, allowed)
        hint = f"did you mean {self.near!r}? " if self.near else ""
        super().__init__(f"unknown {kind} {name!r}; {hint}known are: {', '.join(allowed)}")


class PluginError(ImportError):
    """A plug-in cannot be loaded; the message says in one line which, why, and what would help."""

    exit_code = 2


@dataclass(frozen=True)
class Entry(Generic[_Part]):
    """A registered part: its name, the object itself and the model of its parameters."""

    name: str
    part: _Part
    params: type[BaseModel]

    @property
    def summary(self) -> str:
        """The first line of the part's docstring."""
        return (self.part.__doc__ or "").strip().partition("\n")[0]


class Registry(Generic[_Part]):
    """The parts of one kind by name: those of `package`, of entry points and of plug-ins.

    The first look-up imports `package` and the entry points of the group `prunetune.<kind>`, so
    that importing this module stays fast.
    """

    def __init__(self, kind: str, package: str) -> None:
        self.kind = kind
        self._package = package
        self._entries: dict[str, Entry[_Part]] = {}
        self._loaded = False

    def register(self, name: str, *, params: type[BaseModel]) -> Callable[[_Part], _Part]:
        """A decorator that registers a part under `name`.

        Raises:
            ValueError: another part of this kind has the name.
            ContractError: the part cannot be one of this kind; see `prunetune.contracts`.
        """

        def add(part: _Part) -> _Part:
            if name in self._entries:
                raise ValueError(f"{self.kind}: the name {name!r} is taken")
            check_contract(self.kind, name, part, params)
            self._entries[name] = Entry(name, part, params)
            return part

        return add

    def get(self, name: str) -> Entry[_Part]:
        """The part called `name`.

        Raises:
            UnknownNameError: no part has this name.
        """
        self._load()
        if name not in self._entries:
            raise UnknownNameError(self.kind, name, self.names())
        return self._entries[name]

    def checked(self, named: Named) -> tuple[_Part, BaseModel]:
        """The part called `named.name`, and `named.params` as the model of its parameters.

        Raises:
            UnknownNameError: no part has this name.
            ValidationError: the parameters are not those of the part.
        """
        entry = self.get(named.name)
        return entry.part, entry.params.model_validate(named.params)

    def make(self, named: Named) -> Any:
        """The object of a part that is a class: `part(params)`, the parameters checked."""
        part, params = self.checked(named)
        assert callable(part), f"{self.kind}: {named.name} is not a class"
        return part(params)

    def names(self) -> tuple[str, ...]:
        """All names, in the order of registration."""
        self._load()
        return tuple(self._entries)

    def _load(self) -> None:
        if not self._loaded:
            self._loaded = True  # set first, because modules of the package look names up too
            importlib.import_module(self._package)
            for point in entry_points(group=f"prunetune.{self.kind}"):
                _load(point)


def _load(point: EntryPoint) -> None:
    """Import the object of an entry point, whatever error that package may raise."""
    try:
        point.load()
    except Exception as error:
        package = point.dist.name if point.dist else point.value
        message = f"plug-in {package}: {point.value} cannot be loaded: {_one_line(error)}"
        raise PluginError(message) from error


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def import_all(package: str, path: Iterable[str]) -> None:
    """Import every module of a package in alphabetical order, so that each registers its parts."""
    for module in pkgutil.iter_modules(path):
        importlib.import_module(f"{package}.{module.name}")


def load_plugins(modules: Iterable[str]) -> None:
    """Import the plug-in modules of a sweep, whose decorators register parts.

    Raises:
        PluginError: a module is missing, or raises anything when it is imported.
    """
    for module in modules:
        try:
            importlib.import_module(module)
        except Exception as error:  # its author has to mend it
            why = f"cannot be imported: {_one_line(error)}{missing_cure(error, module)}"
            raise PluginError(f"plug-in {module!r} {why}") from error


def make_importable(folders: Iterable[str]) -> None:
    """Let modules in the folders be imported in this process; they hide no installed module."""
    for folder in folders:
        if folder not in sys.path:
            sys.path.append(folder)


def check_imported_from(folder: Path, modules: Iterable[str]) -> None:
    """Refuse modules that lie in `folder`, where this process has others of the same name.

    Raises:
        PluginError: an installed module, or one beside another sweep file, hides one of them.
    """
    for top in dict.fromkeys(name.partition(".")[0] for name in modules):
        paths = (folder / f"{top}.py", folder / top / "__init__.py")
        beside = [path for path in paths if path.exists()]
        file = getattr(sys.modules.get(top), "__file__", None)
        if beside and file is not None and not any(path.samefile(file) for path in beside):
            raise PluginError(
                f"{beside[0]}: hidden by another module of the name {top!r}, which this process "
                f"has from {file}; rename yours, or start another process"
            )


def plugin_folders(modules: Iterable[str]) -> tuple[str, ...]:
    """The folders from which this process imported plug-in modules, for a process elsewhere."""
    folders = []
    for name in modules:
        file = getattr(sys.modules.get(name), "__file__", None)
        if file is not None:
            path = Path(file).absolute()
            is_package = path.name == "__init__.py"
            folders.append(str(path.parents[name.count(".") + is_package]))
    return tuple(dict.fromkeys(folders))


models: Registry[Any] = Registry("models", "prunetune.models")
datasets: Registry[Any] = Registry("datasets", "prunetune.data")
methods: Registry[Any] = Registry("methods", "prunetune.compress.methods")
criteria: Registry[Any] = Registry("criteria", "prunetune.compress.criteria")
regularizers: Registry[Any] = Registry("regularizers", "prunetune.compress.regularizers")
optimizers: Registry[Any] = Registry("optimizers", "prunetune.train")
schedules: Registry[Any] = Registry("schedules", "prunetune.train")

KINDS: dict[str, Registry[Any]] = {
    r.kind: r for r in (models, datasets, methods, criteria, regularizers, optimizers, schedules)
}
"""The registry of each kind: `Kind("criteria")` on a field refers to it."""
