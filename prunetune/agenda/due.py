"""What is due: the next trial to deal, decided from the plan and the records alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from prunetune.agenda.jobs import Job, StudyWork
from prunetune.agenda.specs import Ask, dense_spec, study_spec
from prunetune.agenda.work import Work
from prunetune.records.record import Phase, Record, TrialSpec
from prunetune.spec.plan import Plan

PHASES: tuple[Phase, ...] = ("dense", "search", "rescore", "confirm")


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


def due(
    plan: Plan,
    records: Mapping[str, Record],
    dealt: Mapping[str, TrialSpec],
    running: Collection[str],
) -> Deal | Ask | Wait | Finished:
    """The next thing to do. `dealt` holds every trial ever dealt, `running` keys of live ones.

    Trials that a crash left without a record come first, just as they were dealt. The dense network
    follows, then all searches in step (those that need no dense network beside it), the dense
    networks of the confirm seeds, and the confirm trials. Each is dealt as soon as nothing before
    it can be, so that no slot is idle while anything is ready.
    """
    work = Work(plan, records, dealt, running)
    if left := _left_over(work):
        return Deal(left)
    if job := _ready(work.search_dense):
        return Deal(dense_spec(plan, job.seed, job.index))
    if behind := _furthest_behind(work, ("search", "rescore")):
        return _next(work, *behind)
    if job := _ready(work.confirm_dense):
        return Deal(dense_spec(plan, job.seed, job.index))
    if behind := _furthest_behind(work, ("confirm",)):
        return _next(work, *behind)
    return Wait() if work.running else Finished()


def closed(
    plan: Plan,
    records: Mapping[str, Record],
    dealt: Mapping[str, TrialSpec],
    running: Collection[str],
) -> list[Closed]:
    """The work that can never run, and why; it has no records."""
    work = Work(plan, records, dealt, running)
    return [
        Closed(job.study, job.phase, job.index, job.seed, job.reason)
        for job in work.jobs
        if job.state == "closed"
    ]


def _left_over(work: Work) -> TrialSpec | None:
    """A trial that was dealt, has no record and does not run, though its inputs are there."""
    idle = [
        spec
        for key, spec in work.dealt.items()
        if key not in work.records and key not in work.running and _has_inputs(spec, work.records)
    ]
    return min(idle, key=lambda s: (PHASES.index(s.phase), s.number or 0, s.key), default=None)


def _has_inputs(spec: TrialSpec, records: Mapping[str, Record]) -> bool:
    found = (records.get(key) for key in spec.inputs.values())
    return all(record is not None and record.status == "completed" for record in found)


def _ready(jobs: Iterable[Job]) -> Job | None:
    return next((job for job in jobs if job.state == "ready"), None)


def _furthest_behind(work: Work, phases: tuple[Phase, ...]) -> tuple[StudyWork, Job] | None:
    """The first ready job of the study with fewest trials dealt in these phases."""
    best: tuple[StudyWork, Job] | None = None
    fewest = float("inf")
    for study in work.studies:
        jobs = [job for job in study.jobs if job.phase in phases]
        started = sum(job.state in ("done", "running", "dealt") for job in jobs)
        if started < fewest and (job := _ready(jobs)):
            best, fewest = (study, job), started
    return best


def _next(work: Work, study: StudyWork, job: Job) -> Deal | Ask:
    assert job.number is not None
    if job.phase == "search":
        return Ask(study.study, job.number, job.seed, job.inputs)
    config = next(r.config for r in study.answer.search if r.number == job.number)
    spec = study_spec(
        work.plan, study.study, job.phase, job.number, job.seed, config, job.inputs, work.records
    )
    return Deal(spec)
