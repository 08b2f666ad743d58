"""A sweep as it will run: its dense network, its studies and the comparisons between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from prunetune.config.budget import RecordedBudget
from prunetune.config.parts import Named, Params
from prunetune.config.recipe import Recipe, images_per_epoch
from prunetune.config.search import FEWEST_TO_STOP, Asha, Confirm
from prunetune.config.space.space import Config
from prunetune.plan.left_alone import LeftAlone
from prunetune.plan.study import BATCH_SIZE, Study
from prunetune.records.key import digest
from prunetune.registration import Registration


class DensePlan(Params):
    """Where the dense network comes from, and its cost."""

    source: Literal["train", "checkpoint", "weights"]
    epochs: int | None
    """Epochs of training; None where the file of loaded weights does not state them."""
    config: Config = Field(default_factory=dict)
    """Its recipe, with dotted names under `recipe`; empty where the network is loaded."""
    salient: Config = Field(default_factory=dict)
    """The values of `config` that are not at their default: they enter the key."""
    images: int | None = None
    """Images in an epoch of the training that a loaded network had; None: as many as here."""
    val_seen: bool | None = None
    """Whether the loaded network may have been trained on our validation images, in which case
    validation accuracies of what inherits its weights are too high; None: the file does not say."""
    path: str | None = None
    """The file of a checkpoint, or the name of torchvision's weights."""
    sha256: str | None = None
    architecture: dict[str, Any]
    """The dense `Architecture` as JSON."""
    macs: int
    params: int

    @property
    def network(self) -> str:
        """The name of the dense network: that of its family, or of the user's class."""
        named = self.architecture.get("params", {}).get("class", self.architecture["model"])
        return str(named)


class Comparison(Params):
    """One member of the family of comparisons, which is fixed before the first trial."""

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
    """The JSON from which a worker opens the data and builds the model."""
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
    """Modules that every process imports first: the plug-ins of the sweep file, and the modules of
    the classes that it names."""
    seed: int
    left_alone: tuple[LeftAlone, ...] = ()
    """Channels of the dense network that no method prunes. Where there are none, or where no study
    prunes channels, the JSON of the plan lacks the field."""
    registration: Registration | None = None
    """How the sweep will be judged; None in plans of older versions, which did not state it."""
    hash: str = Field(default="", exclude=True)
    """The hash under which plan.json holds the plan; empty before that."""
    growth: tuple[Growth, ...] = Field(default=(), exclude=True)
    """How the sweep has changed since it began; plan.json holds it beside the plan and its hash."""

    @model_serializer(mode="wrap")
    def _without_empty_fields(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        facts: dict[str, Any] = handler(self)
        if not self.left_alone:
            facts.pop("left_alone", None)
        return facts

    def study(self, study_id: str) -> Study:
        """The study called `study_id`.

        Raises:
            KeyError: there is no such study.
        """
        for study in self.studies:
            if study.id == study_id:
                return study
        raise KeyError(study_id)

    def budgets(self) -> tuple[RecordedBudget, ...]:
        """Every budget once, in the order of the file."""
        return tuple(dict.fromkeys(s.budget for s in self.studies))

    def arms(self) -> tuple[str, ...]:
        """Every arm once, in the order of the file."""
        return tuple(dict.fromkeys(s.arm for s in self.studies))

    def matchings(self) -> tuple[str | None, ...]:
        """The matchings of scratch-trained arms; (None,) where every arm inherits weights."""
        return matchings_of(self.studies)

    @property
    def prunes_channels(self) -> bool:
        """Whether a study takes channels from the dense network: the plan knows which it cannot."""
        return any(map(prunes_channels, self.studies))

    @property
    def n_independent(self) -> int:
        """Independent results behind a mean: searches if there are several, else confirm seeds."""
        return self.replicates if self.replicates > 1 else self.confirm.seeds

    @property
    def loaded_images(self) -> int:
        """Images behind the weights of a dense network that is loaded; 0 if it is trained here."""
        if self.dense.source == "train":
            return 0
        return (self.dense.epochs or 0) * (self.dense.images or self.train_size)

    def images_per_epoch(self, config: Config, batch_size: str = BATCH_SIZE) -> int:
        """Training images that an epoch computes; `batch_size` is the path of the batch size."""
        size = config.get(batch_size, Recipe.model_fields["batch_size"].default)
        return images_per_epoch(self.train_size, size)

    def workload_of(self, replicate: int) -> dict[str, Any]:
        """The workload of the trials of a replicate, with that replicate's split."""
        return {**self.workload, "replicate": replicate} if replicate else self.workload

    def data_key_of(self, replicate: int) -> str:
        """Digest of the data and of the split that the trials of a replicate see."""
        if not replicate:
            return self.data_key
        return digest({"data": self.data_key, "replicate": replicate})

    def stopping(self, study: Study) -> Asha | None:
        """The rule that stops trials of the study early; None where every trial runs to its end."""
        return self.early_stopping if study.trials >= FEWEST_TO_STOP else None

    @property
    def fingerprint(self) -> str:
        """The hash of the plan: that of plan.json, where it has been written."""
        return self.hash or digest(self.model_dump(mode="json", by_alias=True))

    def computed_macs(self, study: Study) -> int:
        """MACs of a forward pass of the study's networks in training."""
        return self.dense.macs if study.masked else study.target_macs

    def feasible(self) -> Iterator[Study]:
        """The studies that will run."""
        return (s for s in self.studies if s.infeasible is None)

    def infeasible(self, study_id: str | None) -> str | None:
        """Why a study, or one that it stands on, cannot meet the budget; None if all can."""
        study = self.study(study_id) if study_id is not None else None
        if study is None:
            return None
        own = study.infeasible or self.infeasible(study.source)
        return own or self.infeasible(study.recipe_source)


def is_searched(study: Study, studies: Iterable[Study]) -> bool:
    """Whether a search chose anything about the study's networks: a shape or recipe that they take
    from another study included."""
    if any(dimension.searched for dimension in study.space.dimensions):
        return True
    sources = (s for s in studies if s.id in (study.source, study.recipe_source))
    return any(is_searched(source, studies) for source in sources)


def prunes_channels(study: Study) -> bool:
    """Whether the study's networks inherit weights but not the dense shape."""
    return study.inherits and not study.masked and study.source is None


def starts_from_dense(study: Study, studies: Iterable[Study]) -> bool:
    """Whether its weights, or the architecture that it trains, come from a dense network."""
    known = tuple(studies)
    sources = (s for s in known if s.id == study.source)
    return study.inherits or any(starts_from_dense(source, known) for source in sources)


def matchings_of(studies: Iterable[Study]) -> tuple[str | None, ...]:
    """The matchings of scratch-trained studies, each once; (None,) if all inherit weights."""
    return tuple(dict.fromkeys(s.matching for s in studies if s.matching)) or (None,)
