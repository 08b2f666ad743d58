"""The parts that a sweep names, looked up and checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from prunetune.config.file.model import SweepSpec
from prunetune.config.parts import Named
from prunetune.config.problems.errors import Problems, YamlPath, near_match
from prunetune.config.problems.pydantic_errors import translate
from prunetune.registry import KINDS, UnknownNameError
from prunetune.workload import Weights, Workload, find_weights


class Parts:
    """Looks up names for one sweep; what is wrong becomes a problem at its place in the file."""

    def __init__(self, spec: SweepSpec, problems: Problems) -> None:
        self.spec, self.problems = spec, problems

    def lookup(self, kind: str, name: str) -> type[BaseModel]:
        """The parameter model of a part; UnknownNameError with the near match."""
        return KINDS[kind].get(name).params

    def known(self, kind: str, named: Named, path: YamlPath) -> bool:
        """Whether there is such a part; a problem if not."""
        try:
            KINDS[kind].get(named.name)
        except UnknownNameError as error:
            self.problems.add(
                path,
                f"unknown name in {kind}",
                value=named.name,
                allowed=", ".join(error.allowed),
                near=error.near,
            )
            return False
        return True

    def method(self, arm: str) -> Any | None:
        """The class of an arm's method; None (and a problem) where there is none."""
        named = self.spec.arms[arm].method
        if not self.known("methods", named, ("arms", arm, "method")):
            return None
        return KINDS["methods"].get(named.name).part

    def workload(self) -> Workload | None:
        """Data set, model and loaded weights; None after a problem."""
        spec = self.spec.workload
        model = self._part("models", spec.model, ("workload", "model"))
        dataset = self._part("datasets", spec.dataset, ("workload", "dataset"))
        bare = Workload(model or Named(name=""), dataset or Named(name=""), self.spec.seed)
        facts = dataset and self._fact(bare, "info", ("workload", "dataset"))
        if not facts or not model or not self._fact(bare, "macs", ("workload", "model")):
            return None
        weights = self._weights(bare)
        return Workload(bare.model, bare.dataset, bare.seed, weights)

    def dense_fresh(self) -> bool:
        """Whether every confirm seed gets a dense network of its own."""
        trained, wanted = self.spec.workload.dense.train, self.spec.confirm.dense
        if wanted == "fresh" and trained is None:
            message = "the dense network is loaded, so there is one alone"
            self.problems.add(("confirm", "dense"), message, value=wanted, allowed="shared")
        return trained is not None and wanted != "shared"

    def check_matching(self) -> None:
        """Loaded weights that do not state their epochs leave no compute to match but the rest."""
        if self.spec.workload.dense.epochs is not None:
            return
        way = "checkpoint" if self.spec.workload.dense.checkpoint else "weights"
        for matching in self.spec.training.match:
            if matching != "marginal":
                message = "the loaded dense network does not state its epochs"
                allowed = f"marginal, or its epochs at workload.dense.{way}.epochs"
                self.problems.add(("training", "match"), message, value=matching, allowed=allowed)

    def check_control(self) -> None:
        """The arm that all others are compared with is one of them."""
        control, arms = self.spec.confirm.control, tuple(self.spec.arms)
        if control is not None and control not in arms:
            self.problems.add(
                ("confirm", "control"), "names no arm", value=control, allowed=", ".join(arms),
                near=near_match(control, arms),
            )  # fmt: skip

    def _part(self, kind: str, named: Named, path: YamlPath) -> Named | None:
        """The named part with its parameters checked and defaults left out."""
        if not self.known(kind, named, path):
            return None
        model = self.lookup(kind, named.name)
        try:
            params = model.model_validate(named.params)
        except ValidationError as error:
            place = (*path, named.name)
            translate(error, self.problems, tree=named.params, path=place, of=model)
            return None
        stated = params.model_dump(mode="json", exclude_defaults=True)
        if stated.get("root"):  # workers have other working directories
            stated["root"] = str(Path(stated["root"]).expanduser().absolute())
        return Named(name=named.name, params=stated)

    def _fact(self, workload: Workload, name: str, path: YamlPath) -> Any | None:
        """A fact of the workload that may turn out not to be had: sizes, MACs."""
        try:
            return getattr(workload, name)
        except (ValueError, OSError) as error:
            self.problems.add(path, str(error))
            return None

    def _weights(self, workload: Workload) -> Weights | None:
        dense = self.spec.workload.dense
        way = dense.checkpoint or dense.weights
        if way is None:
            return None
        try:
            return find_weights(workload, **way.model_dump(exclude={"epochs"}))
        except ValueError as error:
            place = "checkpoint" if dense.checkpoint else "weights"
            self.problems.add(("workload", "dense", place), str(error))
            return None
