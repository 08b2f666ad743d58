"""The plan: what a sweep file means once its names are bound. Pure data, hashed before trial 1.

bind.py makes it, agenda.py deals from it, analysis judges by it, `prunetune plan` prints it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field

from prunetune.config.budget import RecordedBudget
from prunetune.config.parts import Named, Params
from prunetune.config.search import Asha, Confirm
from prunetune.config.space.space import Config, Space


class DensePlan(Params):
    """Where the dense network comes from, and what it costs."""

    source: Literal["train", "checkpoint", "weights"]
    epochs: int | None
    """Epochs of training; None where loaded weights do not state theirs."""
    config: Config = Field(default_factory=dict)
    """The recipe it is trained with, dotted under `recipe`; empty where it is loaded."""
    salient: Config = Field(default_factory=dict)
    path: str | None = None
    """The checkpoint's file, or the name of torchvision's weights."""
    sha256: str | None = None
    architecture: dict[str, Any]
    """The dense Architecture, as JSON."""
    macs: int
    params: int


class Sparsifying(Params):
    """How long a trial trains that sparsifies the dense network before it prunes it."""

    epochs: int
    """At dense MACs, before pruning."""
    then: int
    """After it."""


SPARSIFIER = "method.sparsify.regularizer"
"""Where a configuration names what it sparsifies with; null, or absent, where it does not."""


MASKED = "no speed-up without sparse kernels"
"""What must be said of networks with single weights zeroed, wherever they appear."""


class Study(Params):
    """An arm at a budget under a matching (and replicate): one Optuna study, one frontier point."""

    id: str
    """`arm@budget[ matching][ r2]`, unique within the sweep."""
    arm: str
    method: str
    budget: RecordedBudget
    matching: str | None
    replicate: int = 0
    target_macs: int
    epochs: int
    """Of a trial that does not sparsify (of any, where all do: those after it)."""
    sparsifying: Sparsifying | None = None
    """Of one that does; None where no configuration of the study can."""
    trials: int
    space: Space
    first: tuple[Config, ...] = ()
    inherits: bool
    """Whether trials start from the weights of the dense network."""
    masked: bool = False
    """Whether its networks keep the dense shape, some of their weights zero: they are trained at
    the dense MACs, and are no faster without sparse kernels."""
    source: str | None = None
    """The study whose winning architecture this one trains from scratch."""
    infeasible: str | None = None
    """Why no configuration of this arm reaches the budget, with the nearest reachable MACs."""
    reach: tuple[Reach, ...] = ()

    def sparsifies(self, config: Config) -> bool:
        """Whether a trial of this configuration sparsifies the dense network first."""
        return self.sparsifying is not None and config.get(SPARSIFIER) is not None

    def epochs_of(self, config: Config) -> int:
        """Epochs of a trial of this configuration, those of sparsifying left out."""
        if self.sparsifying is not None and self.sparsifies(config):
            return self.sparsifying.then
        return self.epochs

    def sparsify_epochs_of(self, config: Config) -> int:
        """Epochs at dense MACs that a trial of this configuration sparsifies for."""
        return self.sparsifying.epochs if self.sparsifying and self.sparsifies(config) else 0


class Reach(Params):
    """Whether a method can meet a budget, as far as that is known before anything is scored."""

    scope: str = ""
    """The scope of the ranking, or the method's name if it has no scopes. The plan fills it in."""
    smallest_macs: int
    """The fewest MACs that the method can reach at all."""
    nearest_macs: int
    """The MACs of a network within tolerance of the budget, else the nearest that were found."""
    within: bool
    """Whether the method can meet the budget within tolerance."""
    reason: str = ""
    """Why it cannot; empty if it can."""


class Comparison(Params):
    """One member of the family of comparisons, written down before trial 1."""

    budget: RecordedBudget
    matching: str | None
    a: str
    b: str


class Growth(Params):
    """One legal change of a sweep that had begun."""

    at: str
    """When, as an ISO time."""
    hash: str
    """The hash of the plan before the change."""
    changes: tuple[str, ...]
    """One line for each changed field: its path, the old value and the new value."""


class Plan(Params):
    """A sweep as it will run."""

    schema_: int = Field(default=1, alias="schema")
    sweep: str
    question: str
    workload: dict[str, Any]
    """What a worker needs to open the data and build the model, as JSON."""
    data_key: str
    """Digest of the data set's files, val_fraction, train_limit and the sweep's seed."""
    train_size: int
    val_size: int
    test_size: int
    dense: DensePlan
    tolerance: float
    studies: tuple[Study, ...]
    family: tuple[Comparison, ...]
    confirm: Confirm
    dense_fresh: bool
    sampler: Named
    early_stopping: Asha | None
    replicates: int
    resources: dict[str, Any]
    limits: dict[str, Any]
    tracking: dict[str, Any]
    plugins: tuple[str, ...] = ()
    seed: int
    growth: tuple[Growth, ...] = Field(default=(), exclude=True)
    """How the sweep has changed since it began; plan.json holds it beside the plan and its hash."""

    def study(self, study_id: str) -> Study:
        """The study called `study_id`; KeyError if there is none."""
        for study in self.studies:
            if study.id == study_id:
                return study
        raise KeyError(study_id)

    def budgets(self) -> tuple[RecordedBudget, ...]:
        """All budgets in the order of the file, each once."""
        return tuple(dict.fromkeys(s.budget for s in self.studies))

    def arms(self) -> tuple[str, ...]:
        """All arms in the order of the file."""
        return tuple(dict.fromkeys(s.arm for s in self.studies))

    def matchings(self) -> tuple[str | None, ...]:
        """The matchings of scratch-trained arms; (None,) where every arm inherits weights."""
        found = tuple(dict.fromkeys(s.matching for s in self.studies if s.matching))
        return found or (None,)

    @property
    def n_independent(self) -> int:
        """Independent results behind a mean: confirm seeds, or searches where there are several."""
        return self.replicates if self.replicates > 1 else self.confirm.seeds

    def computed_macs(self, study: Study) -> int:
        """MACs at which the networks of a study are trained."""
        return self.dense.macs if study.masked else study.target_macs

    def feasible(self) -> Iterator[Study]:
        """The studies that will run."""
        return (s for s in self.studies if s.infeasible is None)

    def infeasible(self, study_id: str | None) -> str | None:
        """Why a study (or what it takes its architecture from) meets no budget; None if it can."""
        study = self.study(study_id) if study_id is not None else None
        if study is None:
            return None
        return study.infeasible or self.infeasible(study.source)


Study.model_rebuild()
