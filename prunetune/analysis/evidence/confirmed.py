"""The confirm seeds of each study: test accuracies, lost seeds, and seeds still to come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean, median

from prunetune.agenda import Agenda, StudyOutcome
from prunetune.plan import Plan, Study
from prunetune.records.record import Frozen


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
        (*lost, *collapsed(values, agenda.plan.dense.architecture.get("classes"))),
        tuple(job.seed for job in open_jobs if job.state != "closed"),
        macs=_mean(r.macs for r in measured),
        params=_mean(r.params for r in measured),
        train_macs=_mean(r.train_macs.total for r in measured),
    )


def _mean(values: Iterable[int | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def collapsed(values: Mapping[int, float], classes: int | None) -> list[Loss]:
    """The seeds whose accuracy is nearer to chance than to the median of all seeds."""
    if not values or not classes:
        return []
    middle = median(values.values())
    return [
        Loss(seed=seed, status="collapsed", error=f"test accuracy {value:.4f}")
        for seed, value in values.items()
        if value < (middle + 1 / classes) / 2 and value < middle
    ]
