"""How much a sweep computes if no trial fails and none is stopped: from the plan alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from prunetune.agenda.agenda import RESCORES, Agenda
from prunetune.agenda.specs import trains_dense
from prunetune.agenda.trials import Trials
from prunetune.config.space.space import Choice, Constant, Space
from prunetune.plan import BATCH_SIZE, SPARSIFY_BATCH_SIZE, Plan, Study
from prunetune.records.record import Phase, training_macs


@dataclass(frozen=True)
class Amount:
    """Numbers of trials by phase, and their training."""

    trials: Mapping[Phase, int] = field(default_factory=dict)
    epochs: int = 0
    """Without the epochs of sparsifying."""
    train_macs: int = 0
    sparsify_epochs: int = 0
    """Epochs at dense MACs; an upper bound. Trials that share a sparsified network train it once.
    A trial that does not sparsify trains about as many MACs longer instead."""

    def __add__(self, other: Amount) -> Amount:
        phases = dict.fromkeys((*self.trials, *other.trials), 0)
        trials = {p: self.trials.get(p, 0) + other.trials.get(p, 0) for p in phases}
        return Amount(
            trials,
            self.epochs + other.epochs,
            self.train_macs + other.train_macs,
            self.sparsify_epochs + other.sparsify_epochs,
        )

    @property
    def total(self) -> int:
        """Trials of all phases."""
        return sum(self.trials.values())


@dataclass(frozen=True)
class Counts:
    """The amounts of a sweep; every trial counts once."""

    dense: Amount
    studies: Mapping[str, Amount]
    """By the study's id; empty amounts for studies that cannot run."""

    @property
    def total(self) -> Amount:
        """The dense networks and all studies."""
        return sum(self.studies.values(), self.dense)


def counts(plan: Plan, seeds: int | None = None) -> Counts:
    """The amounts of a sweep in which every trial completes.

    `seeds` replaces the number of confirm seeds, which with planned looks is that of the last one.
    """
    confirm = plan.confirm.model_copy(update={"seeds": seeds or plan.confirm.seeds})
    plan = plan.model_copy(update={"confirm": confirm, "registration": None})
    agenda = Agenda(plan, Trials())
    networks = len(agenda.search_dense.jobs) + len(agenda.confirm_dense.jobs)
    epochs = networks * (plan.dense.epochs or 0) if trains_dense(plan) else 0
    macs = training_macs(plan.dense.macs, plan.images_per_epoch(plan.dense.config), epochs)
    dense = Amount({"dense": networks}, epochs, macs)
    return Counts(dense, {study.id: _study_amount(plan, study) for study in plan.studies})


def _study_amount(plan: Plan, study: Study) -> Amount:
    if not _can_run(plan, study):
        return Amount()
    trials: dict[Phase, int] = {"search": study.trials} if study.trials else {}
    trials["confirm"] = plan.confirm.seeds
    n_finalists = min(plan.confirm.top, study.trials)
    if n_finalists > 1:
        trials["rescore"] = RESCORES * n_finalists
    sparsifying = study.sparsifying  # if some trials may sparsify, all are counted as if they did
    epochs = (sparsifying.then if sparsifying else study.epochs) * sum(trials.values())
    sparsify_epochs = sparsifying.epochs * sum(trials.values()) if sparsifying else 0
    images = _most_images(plan, study.space, BATCH_SIZE)
    macs = training_macs(plan.computed_macs(study), images, epochs)
    images = _most_images(plan, study.space, SPARSIFY_BATCH_SIZE)
    macs += training_macs(plan.dense.macs, images, sparsify_epochs)
    return Amount(trials, epochs, macs, sparsify_epochs)


def _most_images(plan: Plan, space: Space, path: str) -> int:
    """The most images that an epoch computes, over the batch sizes that the space may draw."""
    most = 0
    for dimension in space.dimensions:
        if dimension.path == path:
            match dimension.domain:
                case Constant(value=value):
                    sizes: tuple[int, ...] = (value,)
                case Choice(options=options):
                    sizes = options
                case _:
                    return plan.train_size
            most = max(most, *(plan.images_per_epoch({path: size}, path) for size in sizes))
    return most or plan.images_per_epoch({}, path)


def _can_run(plan: Plan, study: Study) -> bool:
    return plan.infeasible(study.id) is None
