"""The confirm seeds of each study: test accuracies, lost seeds, and seeds still to come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, median

from prunetune.agenda import Agenda, StudyOutcome
from prunetune.plan import Plan, Study
from prunetune.records.record import Frozen, Record
from prunetune.statistics.intervals import binomial_half_width


class Loss(Frozen):
    """A confirm seed without an accuracy, or with one near chance (which stays in the mean)."""

    seed: int
    status: str
    """diverged, infeasible or failed; closed: an input was lost; collapsed: near chance."""
    error: str | None = None


@dataclass(frozen=True)
class ConfirmedStudy:
    """The confirm seeds of one study's winner."""

    study: Study
    outcome: StudyOutcome
    values: Mapping[int, float]
    """Seed -> test accuracy."""
    records: Mapping[int, Record] = field(default_factory=dict)
    """Seed -> the record of that accuracy."""
    lost: tuple[Loss, ...] = ()
    pending: tuple[int, ...] = ()
    macs: float | None = None
    """Mean of the achieved MACs."""
    params: float | None = None
    train_macs: float | None = None
    """Mean MACs of training one such network, inherited training included."""

    @property
    def flattered(self) -> bool:
        """Whether the remaining values overstate the arm.

        They do when confirm trials, or a whole search, diverged or were infeasible: such a loss is
        the arm's own doing. A trial that failed is a fault and says nothing about the arm.
        """
        statuses = [loss.status for loss in self.lost]
        if self.outcome.pick is None:
            statuses += [record.status for record in self.outcome.search]
        return any(status in ("diverged", "infeasible") for status in statuses)


def grain(plan: Plan) -> float:
    """The step in which test accuracies come: one image."""
    return 1 / plan.test_size if plan.test_size else 0.0


def confirmed_studies(agenda: Agenda) -> dict[str, ConfirmedStudy]:
    """The confirm seeds of every study, by the study's id."""
    return {study.id: _confirmed(agenda, study) for study in agenda.plan.studies}


def _confirmed(agenda: Agenda, study: Study) -> ConfirmedStudy:
    outcome = agenda.outcome(study)
    ended = {r.seed: r for r in outcome.confirms}
    measured = [r for r in ended.values() if r.test_acc1 is not None]
    values = {r.seed: r.test_acc1 for r in measured if r.test_acc1 is not None}
    lost = [
        Loss(seed=seed, status=record.status, error=record.error)
        for seed, record in ended.items()
        if seed not in values
    ]
    open_jobs = [job for job in agenda.confirming(study).jobs if job.seed not in ended]
    closed = [job for job in open_jobs if job.state == "closed"]
    lost += [Loss(seed=job.seed, status="closed", error=job.reason) for job in closed]
    return ConfirmedStudy(
        study,
        outcome,
        values,
        {r.seed: r for r in measured},
        (*lost, *_collapsed(agenda.plan, outcome, values)),
        tuple(job.seed for job in open_jobs if job.state != "closed"),
        macs=_mean(r.macs for r in measured),
        params=_mean(r.params for r in measured),
        train_macs=_mean(r.train_macs.total for r in measured),
    )


def _mean(values: Iterable[int | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _collapsed(plan: Plan, outcome: StudyOutcome, values: Mapping[int, float]) -> Sequence[Loss]:
    reached = outcome.winner.val_acc1 if outcome.winner else None
    classes = plan.dense.architecture.get("classes")
    return collapsed(values, classes, reached or 0.0, plan.test_size)


def collapsed(
    values: Mapping[int, float], classes: int | None, reached: float = 0.0, images: int = 0
) -> list[Loss]:
    """The seeds whose accuracy is near chance.

    It is nearer to chance than to what the recipe can do: the median of its seeds, or the accuracy
    that it `reached` on validation in the search, whichever is higher. The median alone would miss
    an arm of which most seeds collapsed. Or no more images are right than chance would get right.
    """
    if not values or not classes:
        return []
    chance = 1 / classes
    usual = max(median(values.values()), reached)
    half_way = (usual + chance) / 2
    noise = binomial_half_width(chance, images) if images else 0.0
    return [
        Loss(seed=seed, status="collapsed", error=f"test accuracy {value:.4f}")
        for seed, value in values.items()
        if (value < half_way and value < usual) or value <= chance + noise
    ]
