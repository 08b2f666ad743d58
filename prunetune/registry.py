"""A registry of named parts: models, data sets, methods, criteria, regularizers, optimizers …

A part is one object with one pydantic model of its parameters beside it. The product's own parts
and a user's come in by the same door: a decorator in a module that is imported on first look-up.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from prunetune.config.parts import Named
from prunetune.config.problems.errors import near_match

T = TypeVar("T")


class UnknownNameError(LookupError):
    """A name that no part of this kind bears; carries the names allowed and the near match."""

    exit_code = 2

    def __init__(self, kind: str, name: str, allowed: tuple[str, ...]) -> None:
        self.kind, self.name, self.allowed = kind, name, allowed
        self.near = near_match(name, allowed)
        hint = f"; did you mean {self.near!r}?" if self.near else ""
        super().__init__(f"unknown {kind} {name!r}, known are: {', '.join(allowed)}{hint}")


class PluginError(ImportError):
    """An installed package's entry point that cannot be loaded; says which, and why."""

    exit_code = 2


@dataclass(frozen=True)
class Entry(Generic[T]):
    """A registered part: its name, the object itself and the model of its parameters."""

    name: str
    part: T
    params: type[BaseModel]

    @property
    def summary(self) -> str:
        """The first line of the part's docstring."""
        return (self.part.__doc__ or "").strip().partition("\n")[0]


class Registry(Generic[T]):
    """The parts of one kind by name, those of `package`, entry points and plug-ins alike.

    `package` is imported on the first look-up, and so are the entry points of the group
    `prunetune.<kind>`; until then nothing heavy is loaded.
    """

    def __init__(self, kind: str, package: str) -> None:
        self.kind = kind
        self._package = package
        self._entries: dict[str, Entry[T]] = {}
        self._loaded = False

    def register(self, name: str, *, params: type[BaseModel]) -> Callable[[T], T]:
        """Decorator that registers a part under `name`; ValueError if the name is taken."""

        def add(part: T) -> T:
            if name in self._entries:
                raise ValueError(f"{self.kind}: the name {name!r} is taken")
            self._entries[name] = Entry(name, part, params)
            return part

        return add

    def get(self, name: str) -> Entry[T]:
        """The part called `name`; UnknownNameError with the near match otherwise."""
        self._load()
        if name not in self._entries:
            raise UnknownNameError(self.kind, name, self.names())
        return self._entries[name]

    def checked(self, named: Named) -> tuple[T, BaseModel]:
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
            self._loaded = True  # first, since the package's own modules look names up
            importlib.import_module(self._package)
            for point in entry_points(group=f"prunetune.{self.kind}"):
                _load(point)


def _load(point: EntryPoint) -> None:
    """Import what an entry point names; whatever goes wrong in it is its package's to mend."""
    try:
        point.load()
    except Exception as error:
        whose = point.dist.name if point.dist else point.value
        raise PluginError(f"plug-in {whose}: {point.value} cannot be loaded: {error}") from error


def import_all(package: str, path: Iterable[str]) -> None:
    """Import every module of a package, in alphabetical order, so that each registers its parts."""
    for module in pkgutil.iter_modules(path):
        importlib.import_module(f"{package}.{module.name}")


def load_plugins(modules: Iterable[str]) -> None:
    """Import a sweep's plug-in modules, whose decorators register their parts."""
    for module in modules:
        importlib.import_module(module)


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
"""Every kind of part by name: what `Kind("criteria")` on a field is looked up in."""
