"""A trial as it is dealt, and the record of a trial that has ended; both are stored as JSON."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator
from pydantic.dataclasses import dataclass

from prunetune.records.architecture import Architecture

Phase = Literal["dense", "search", "rescore", "confirm"]
PHASES: tuple[Phase, ...] = get_args(Phase)
"""All phases, in the order in which a sweep goes through them."""
Accuracy = Annotated[float, Field(ge=0, le=1)]
Status = Literal["completed", "stopped", "failed", "infeasible", "diverged"]
"""How a trial ended. `failed` is a fault; all others are results of the sweep."""
FailedBy = Literal["exception", "memory", "death", "hang"]
"""An exception, too little memory on the device, a worker that died (or its node), or a hang."""
BY_SURROUNDINGS: frozenset[FailedBy | None] = frozenset({"death", "hang"})
"""Failures that say something about the machines and little about the configuration."""
_TRAINING_PASS = 3
"""Forward passes that one training step amounts to: a backward pass counts as two."""


class Frozen(BaseModel):
    """An immutable model; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class Epoch:
    """One epoch of training: its mean training loss, and the validation after it.

    A sweep has hundreds of thousands of them: as a model each would take four times the memory.
    """

    epoch: Annotated[int, Field(ge=1)]
    train_loss: float
    val_loss: float
    val_acc1: Accuracy
    lr: float
    """Learning rate of the epoch's last step."""
    seconds: float


def epoch_of(facts: Any) -> Epoch:
    """The epoch with these facts, checked.

    Raises:
        ValidationError: they are not those of an epoch.
    """
    return _EPOCH.validate_python(facts)


_EPOCH = TypeAdapter(Epoch)


class TrainMacs(Frozen):
    """Multiply-accumulates spent on training; a backward pass counts as two forward passes."""

    sparsify: int = 0
    """Training inside the method, on the way to the budget."""
    score: int = 0
    train: int = 0
    inherited: int = 0
    """Training of the networks whose weights this trial starts from: the dense network and the
    sparsified one, each in full however many trials share it."""
    total: int = 0
    """sparsify + score + train + inherited: the cost of this result if no other trial existed."""
    spent: int = 0
    """All that this trial computed: validation, scoring, and epochs begun, also lost ones."""

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        parts = self.sparsify + self.score + self.train + self.inherited
        if self.total != parts:
            raise ValueError(f"total must be {parts}, the sum of its parts; got {self.total}")
        return self


def training_macs(macs: int, images: int, epochs: int = 1) -> int:
    """MACs of training a network of `macs` (batch 1) for `epochs` passes over `images`."""
    return _TRAINING_PASS * macs * images * epochs


class TrialIdentity(Frozen):
    """Which trial of which study it is: the fields that a trial and its record share and open with.

    The order of fields is the order of keys in the JSON files.
    """

    schema_: int = Field(default=1, alias="schema")
    """The version of the file's form."""
    key: str
    sweep: str
    phase: Phase
    study: str | None = None
    """The id of the study that the trial belongs to; None for a dense network."""
    arm: str | None = None
    method: str | None = None
    budget: float | str | None = None
    matching: str | None = None
    replicate: int = 0
    number: int | None = None
    """Search trials: 0, 1, …; confirm and rescore: the number of the search trial that is run
    again."""
    seed: int


class TrialSpec(TrialIdentity):
    """A trial as it is dealt: written to trials/<key>/trial.json before it runs, never changed."""

    config: dict[str, Any] = Field(default_factory=dict)
    inputs: dict[str, str] = Field(default_factory=dict)
    """Keys of the trials it starts from: `dense` for weights, `architecture` for the shape."""
    source_architecture: Architecture | None = None
    workload: dict[str, Any]
    plugins: tuple[str, ...] = ()
    left_alone: tuple[dict[str, Any], ...] | None = None
    """Channels of the dense network whose cut the plan found wrong, as JSON; None: the plan does
    not know, and the trial has to prove the cuts that it makes."""
    dense_macs: int
    dense_params: int
    target_macs: int
    tolerance: float
    epochs: int
    sparsify_epochs: int = 0
    """Epochs, at dense MACs each, by which the dense network is sparsified first."""
    run_on: bool = False
    """If true, early stopping does not stop this trial but notes where it would have."""
    sweep_seed: int = 0
    stream_version: int = 1
    """How its random streams are named (`seeds.STREAM_VERSION`); a trial that was dealt without
    this field goes on with the streams that it began with."""
    deterministic: bool = False
    inherited_macs: int = 0
    """Training MACs behind the inherited weights: of the dense network and of sparsifying it."""


class Record(TrialIdentity):
    """One trial that has ended. Accuracies in [0, 1]; MACs at batch 1; seconds of wall time."""

    status: Status
    error: str | None = None
    failed_by: FailedBy | None = None
    """What a failed trial failed by; None in records of older versions, which do not tell."""
    config: dict[str, Any] = Field(default_factory=dict)
    inputs: dict[str, str] = Field(default_factory=dict)
    dense_macs: int
    target_macs: int
    macs: int | None = None
    dense_params: int
    params: int | None = None
    architecture: Architecture | None = None
    sparsified: str | None = None
    """Key of the sparsified network, which lies under STORAGE/sparse."""
    departures: dict[str, Any] = Field(default_factory=dict)
    """How the network departs from its method's rule: repairs of a ranking, extra channels, …."""
    epochs: int = 0
    epochs_planned: int
    curve: tuple[Epoch, ...] = ()
    val_acc1: Accuracy | None = None
    """Validation accuracy after the last epoch: the objective."""
    val_acc1_best: Accuracy | None = None
    val_acc1_before_training: Accuracy | None = None
    val_loss: float | None = None
    test_acc1: Accuracy | None = None
    """Test accuracy after the last epoch; confirm and dense trials only."""
    test_acc1_best: Accuracy | None = None
    """Test accuracy after the epoch that was best on validation."""
    test_outputs: str | None = None
    """Path, under the storage, of `log_probs`, `labels` and `predicted` per test image
    (safetensors); files of older versions have `log_probs` alone."""
    would_stop_at: int | None = None
    train_macs: TrainMacs = TrainMacs()
    wall_s: dict[str, float] = Field(default_factory=dict)
    peak_memory_bytes: int | None = None
    device: str | None = None
    dtype: str | None = None
    threads: int | None = None
    seeds: dict[str, int] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)
    started_at: str | None = None
    """ISO 8601 in UTC."""
    ended_at: str | None = None

    @property
    def accuracies(self) -> tuple[float, ...]:
        """Validation accuracy after each epoch."""
        return tuple(epoch.val_acc1 for epoch in self.curve)

    @property
    def budget_miss(self) -> float:
        """The share of the budget by which the nearest network misses it; 0 if one meets it."""
        if self.status != "infeasible":
            return 0.0
        nearest = self.departures.get("nearest_macs", 0)
        return abs(nearest - self.target_macs) / self.target_macs or 1.0
