"""What is left to train of a sweep, as tasks whose time can be estimated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from prunetune.agenda.agenda import RESCORES, Agenda
from prunetune.agenda.specs import trains_dense
from prunetune.plan import Plan
from prunetune.records.record import Phase

_OWED = ("ready", "waiting", "dealt")
"""States of jobs that are to be done and do not run."""


@dataclass(frozen=True)
class Task:
    """The training of one trial."""

    study: str
    """Its study; `dense` for a dense network."""
    phase: Phase
    macs: int
    """MACs of a forward pass in training."""
    epochs: int
    sparsify_epochs: int = 0
    """At dense MACs, before the others."""


def task_of(plan: Plan, study_id: str | None, phase: Phase) -> Task:
    """The task of a trial of the study, None standing for the dense networks.

    Where some trials of the study sparsify, it is that of one that does.
    """
    if study_id is None:
        epochs = plan.dense.epochs or 0
        return Task("dense", phase, plan.dense.macs, epochs if trains_dense(plan) else 0)
    study = plan.study(study_id)
    macs = plan.computed_macs(study)
    if study.sparsifying is None:
        return Task(study.id, phase, macs, study.epochs)
    return Task(study.id, phase, macs, study.sparsifying.then, study.sparsifying.epochs)


def remaining(agenda: Agenda[Any]) -> Iterator[Task]:
    """The tasks of all trials that are owed and do not run; re-scores once for each finalist."""
    plan = agenda.plan
    known: dict[tuple[str | None, Phase], Task] = {}
    for job in agenda.jobs:
        if job.state in _OWED:
            kind = (job.study, job.phase)
            if kind not in known:
                known[kind] = task_of(plan, *kind)
            yield known[kind]
    n_finalists = plan.confirm.top
    for study in plan.studies if n_finalists > 1 else ():
        jobs = agenda.searching(study).jobs
        searching = any(job.state in (*_OWED, "running") for job in jobs)
        if searching and all(job.phase == "search" for job in jobs):
            rescores = RESCORES * min(n_finalists, study.trials)
            yield from [task_of(plan, study.id, "rescore")] * rescores
