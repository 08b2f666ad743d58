"""What is due: the next trial to deal, decided from the plan and its trials alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from prunetune.agenda.agenda import Agenda
from prunetune.agenda.jobs import Job, Queue
from prunetune.agenda.specs import Ask, dense_spec, study_spec
from prunetune.agenda.trials import Trials
from prunetune.plan import Study
from prunetune.records.record import PHASES, Phase, Record, TrialSpec


@dataclass(frozen=True)
class Deal:
    """Run this trial."""

    spec: TrialSpec


@dataclass(frozen=True)
class Wait:
    """Nothing can be dealt before a running trial ends."""


@dataclass(frozen=True)
class Finished:
    """Nothing is owed any more; nothing runs."""


@dataclass(frozen=True)
class Closed:
    """A trial that the plan owes and that can never run."""

    study: str | None
    phase: Phase
    index: int
    """The number of a search trial, the place of a confirm seed, the replicate of a network."""
    seed: int
    reason: str
    fault: bool
    """Whether a trial that failed is behind it: a fault, not a finding."""


def due(agenda: Agenda) -> Deal | Ask | Wait | Finished:
    """The next thing to do; nothing is changed by asking.

    Trials that a crash left without a record come first, just as they were dealt. The dense network
    follows, then all searches in step (those that need no dense network beside it), the dense
    networks of the confirm seeds, and the confirm trials. Each is dealt as soon as nothing before
    it can be, so that no slot is idle while anything is ready.
    """
    if left := _left_over(agenda.trials):
        return Deal(left)
    if job := agenda.search_dense.ready:
        return Deal(dense_spec(agenda.plan, job.seed, job.index))
    if behind := _furthest_behind(agenda.plan.studies, agenda.searching):
        return _next(agenda, *behind)
    if job := agenda.confirm_dense.ready:
        return Deal(dense_spec(agenda.plan, job.seed, job.index))
    if behind := _furthest_behind(agenda.plan.studies, agenda.confirming):
        return _next(agenda, *behind)
    return Wait() if agenda.trials.running else Finished()


def closed(agenda: Agenda) -> list[Closed]:
    """The work that can never run, and why; it has no records."""
    return [
        Closed(job.study, job.phase, job.index, job.seed, job.reason, job.fault)
        for job in agenda.jobs
        if job.state == "closed"
    ]


def _left_over(trials: Trials) -> TrialSpec | None:
    """A trial that was dealt, has no record and does not run, though its inputs are there."""
    idle = [spec for spec in trials.idle.values() if _has_inputs(spec, trials.records)]
    return min(idle, key=lambda s: (PHASES.index(s.phase), s.number or 0, s.key), default=None)


def _has_inputs(spec: TrialSpec, records: Mapping[str, Record]) -> bool:
    found = (records.get(key) for key in spec.inputs.values())
    return all(record is not None and record.status == "completed" for record in found)


def _furthest_behind(
    studies: Iterable[Study], queue_of: Callable[[Study], Queue]
) -> tuple[Study, Job] | None:
    """The first ready job of the study with fewest trials dealt in this queue."""
    best: tuple[Study, Job] | None = None
    fewest = float("inf")
    for study in studies:
        queue = queue_of(study)
        if queue.started < fewest and queue.ready:
            best, fewest = (study, queue.ready), queue.started
    return best


def _next(agenda: Agenda, study: Study, job: Job) -> Deal | Ask:
    assert job.number is not None
    if job.phase == "search":
        return Ask(study, job.number, job.seed, job.inputs)
    config = next(r.config for r in agenda.outcome(study).search if r.number == job.number)
    records = agenda.trials.records
    return Deal(
        study_spec(agenda.plan, study, job.phase, job.number, job.seed, config, job.inputs, records)
    )
