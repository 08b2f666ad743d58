"""Looks up the parts that a sweep names, and checks their parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from prunetune.bind.own_network import check_network
from prunetune.config.file.model import ArmSpec, SweepSpec
from prunetune.config.parts import Named
from prunetune.config.problems.errors import Problems, YamlPath, near_match
from prunetune.config.problems.pydantic_errors import note_validation_errors
from prunetune.records.user_path import UserPathError, user_path
from prunetune.registry import KINDS, Entry, UnknownNameError
from prunetune.user_code.find import ClassError
from prunetune.user_code.params import ClassParams
from prunetune.workload import Weights, Workload, find_weights

_Fact = TypeVar("_Fact")


@dataclass(frozen=True, eq=False)
class BoundArm:
    """An arm of the sweep file with its method looked up."""

    name: str
    spec: ArmSpec
    method: Any
    """The class of the method."""
    params: type[BaseModel]
    """The model of the method's parameters."""

    @property
    def path(self) -> YamlPath:
        """Where the file states the method's parameters."""
        return ("arms", self.name, "method", self.spec.method.name)

    @property
    def source(self) -> str | None:
        """The name of the arm whose architecture this arm trains; None if it finds its own.

        What the file writes where a name belongs may be anything: the text of it names no arm.
        """
        written = self.spec.method.params.get("from") if self.method.takes_architecture else None
        return None if written is None else str(written)


class Parts:
    """Looks up the names of one sweep; each mistake becomes a problem at its place in the file."""

    def __init__(self, spec: SweepSpec, problems: Problems) -> None:
        self.spec, self.problems = spec, problems

    def params_model(self, kind: str, name: str) -> type[BaseModel]:
        """The model of a part's parameters.

        Raises:
            UnknownNameError: there is no such part; carries the near match.
        """
        return KINDS[kind].get(name).params

    @cached_property
    def arms(self) -> dict[str, BoundArm]:
        """The arms whose methods are known, by name, in the order of the file."""
        arms = {}
        for name, arm in self.spec.arms.items():
            if entry := self._entry("methods", arm.method, ("arms", name, "method")):
                arms[name] = BoundArm(name, arm, entry.part, entry.params)
        return arms

    def workload(self) -> Workload | None:
        """The data set, the model and the loaded weights; None after a problem."""
        spec = self.spec.workload
        model = self._checked("models", spec.model, ("workload", "model"))
        dataset = self._checked("datasets", spec.dataset, ("workload", "dataset"))
        bare = Workload(model or Named(name=""), dataset or Named(name=""), self.spec.seed)
        info = dataset and self._fact(lambda: bare.info, dataset, ("workload", "dataset"))
        if not info or not model:
            return None
        right = self._fact(lambda: check_network(bare), model, ("workload", "model"))
        if not right or not self._fact(lambda: bare.macs, model, ("workload", "model")):
            return None
        return Workload(bare.model, bare.dataset, bare.seed, self._weights(bare))

    def dense_fresh(self) -> bool:
        """Whether every confirm seed trains a dense network of its own."""
        trained, wanted = self.spec.workload.dense.train, self.spec.confirm.dense
        if wanted == "fresh" and trained is None:
            message = "the dense network is loaded, so there is only one"
            self.problems.add(("confirm", "dense"), message, value=wanted, allowed="shared")
        return trained is not None and wanted != "shared"

    def check_control(self) -> None:
        """Refuse a control that is not an arm of the sweep."""
        control, arms = self.spec.confirm.control, tuple(self.spec.arms)
        if control is not None and control not in arms:
            self.problems.add(
                ("confirm", "control"), "names no arm", value=control, allowed=", ".join(arms),
                near=near_match(control, arms),
            )  # fmt: skip

    def _entry(self, kind: str, named: Named, path: YamlPath) -> Entry[Any] | None:
        """The registered part that is named; None after a problem."""
        try:
            return KINDS[kind].get(named.name)
        except UnknownNameError as error:
            self.problems.add(
                path,
                f"unknown name in {kind}",
                value=named.name,
                allowed=", ".join(error.allowed),
                near=error.near,
            )
            return None

    def _checked(self, kind: str, named: Named, path: YamlPath) -> Named | None:
        """The named part with checked parameters, without those at their default."""
        entry = self._entry(kind, named, path)
        if entry is None:
            return None
        try:
            params = entry.params.model_validate(named.params)
        except ValidationError as error:
            place = (*path, named.name)
            note_validation_errors(
                error, self.problems, tree=named.params, path=place, of=entry.params
            )
            return None
        if isinstance(params, ClassParams):
            pinned = self._fact(params.pinned, named, path)
            if pinned is None:
                return None
            params = pinned
        stated = params.model_dump(mode="json", exclude_defaults=True)
        if stated.get("root"):  # workers have other working directories
            root = self._path(stated["root"], (*path, named.name, "root"))
            if root is None:
                return None
            stated["root"] = root
        return Named(name=named.name, params=stated)

    def _path(self, written: str, path: YamlPath) -> str | None:
        """The absolute path that the file states at `path`; None after a problem."""
        try:
            return str(user_path(written))
        except UserPathError as error:
            self.problems.add(path, str(error))
            return None

    def _fact(self, ask: Callable[[], _Fact], named: Named, path: YamlPath) -> _Fact | None:
        """What `ask` finds out about a part, such as its sizes or MACs; None after a problem."""
        try:
            return ask()
        except ClassError as error:
            self.problems.add((*path, named.name, error.field), str(error))
        except (ValueError, OSError) as error:
            self.problems.add(path, str(error))
        except (RuntimeError, OverflowError, MemoryError, TypeError) as error:  # of torch
            reason = str(error).partition("\n")[0]
            self.problems.add(path, f"cannot be built with these parameters: {reason}")
        return None

    def _weights(self, workload: Workload) -> Weights | None:
        dense = self.spec.workload.dense
        way = dense.loaded
        if way is None:
            return None
        place: YamlPath = ("workload", "dense", "checkpoint" if dense.checkpoint else "weights")
        source = way.model_dump(include={"path", "name"})
        if "path" in source:
            source["path"] = self._path(source["path"], (*place, "path"))
            if source["path"] is None:
                return None
        try:
            return find_weights(workload, **source)
        except ValueError as error:
            self.problems.add(place, str(error))
            return None
