"""What is due: the next trial to deal, a function of the plan and its trials alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from prunetune.agenda.agenda import Agenda
from prunetune.agenda.jobs import Job, Queue
from prunetune.agenda.specs import Ask, dense_spec, study_spec
from prunetune.agenda.trials import Trials
from prunetune.plan import Study
from prunetune.records.record import PHASES, TrialSpec
from prunetune.records.trial_outcome import EndedT, EndedTrial


@dataclass(frozen=True)
class Deal:
    """Run this trial."""

    spec: TrialSpec


@dataclass(frozen=True)
class Wait:
    """Nothing can be dealt before a running trial ends."""


@dataclass(frozen=True)
class Finished:
    """Nothing is left to do and nothing runs."""


def due(agenda: Agenda[Any]) -> Deal | Ask | Wait | Finished:
    """The next thing to do; the call changes nothing.

    Order of priority: trials lost in a crash, exactly as they were dealt; dense networks of the
    searches; search trials and re-scores, from the study with the fewest so far; dense networks of
    the confirm seeds; confirm trials. A trial of lower priority is dealt when none of higher
    priority is ready, so no slot is idle while a trial is ready.
    """
    if lost := _lost_in_a_crash(agenda.trials):
        return Deal(lost)
    if job := agenda.search_dense.ready:
        return Deal(dense_spec(agenda.plan, job.seed, job.index))
    if behind := _furthest_behind(agenda.plan.studies, agenda.searching):
        return _next(agenda, *behind)
    if job := agenda.confirm_dense.ready:
        return Deal(dense_spec(agenda.plan, job.seed, job.index))
    if behind := _furthest_behind(agenda.plan.studies, agenda.confirming):
        return _next(agenda, *behind)
    return Wait() if agenda.trials.running else Finished()


def closed(agenda: Agenda[EndedT]) -> list[Job[EndedT]]:
    """The jobs that can never run, each with its reason; they have no records."""
    return [job for job in agenda.jobs if job.state == "closed"]


def _lost_in_a_crash(trials: Trials[Any]) -> TrialSpec | None:
    """A trial that was dealt, has no record, does not run, and has its inputs."""
    idle = [spec for spec in trials.idle.values() if _has_inputs(spec, trials.records)]
    return min(idle, key=lambda s: (PHASES.index(s.phase), s.number or 0, s.key), default=None)


def _has_inputs(spec: TrialSpec, records: Mapping[str, EndedTrial]) -> bool:
    inputs = (records.get(key) for key in spec.inputs.values())
    return all(record is not None and record.status == "completed" for record in inputs)


def _furthest_behind(
    studies: Iterable[Study], queue_of: Callable[[Study], Queue[EndedT]]
) -> tuple[Study, Job[EndedT]] | None:
    """The study with the fewest trials dealt among those with a ready job, and that job."""
    best: tuple[Study, Job[EndedT]] | None = None
    fewest = float("inf")
    for study in studies:
        queue = queue_of(study)
        if queue.started < fewest and queue.ready:
            best, fewest = (study, queue.ready), queue.started
    return best


def _next(agenda: Agenda[EndedT], study: Study, job: Job[EndedT]) -> Deal | Ask:
    assert job.number is not None
    if job.phase == "search":
        return Ask(study, job.number, job.seed, job.inputs)
    outcome = agenda.outcome(study)
    if job.phase == "confirm":
        assert outcome.pick is not None
        config = outcome.pick.config
    else:
        config = next(r.config for r in outcome.search if r.number == job.number)
    records = agenda.trials.in_full(job.inputs.values())
    return Deal(
        study_spec(agenda.plan, study, job.phase, job.number, job.seed, config, job.inputs, records)
    )
