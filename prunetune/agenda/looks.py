"""Planned looks: how many confirm seeds each study gets, since only open pairs get more.

All studies begin with the seeds of the first look. At a look the pairs of arms are judged; arms of
a pair that is still open get the seeds of the next look, and so does what they stand on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prunetune.agenda.jobs import Job
from prunetune.plan import Comparison, Plan, Study
from prunetune.registration import Look
from prunetune.statistics.sequential import after_looks


@dataclass(frozen=True)
class Progress:
    """The confirm seeds of one study, counted from the first."""

    values: Mapping[int, float]
    """Position of the seed -> test accuracy."""
    ended: int
    """The number of first seeds that all have ended or can never run."""
    hopeless: bool
    """Whether no seed has a value or can get one."""


def looks_of(plan: Plan) -> tuple[Look, ...]:
    """The looks of the plan, the first one first; empty where all seeds are due at once."""
    return plan.registration.looks if plan.registration else ()


def progress_of(jobs: Sequence[Job[Any]]) -> Progress:
    """How far the confirm jobs of a study are, in the order of their seeds."""
    accuracies = {j: job.record.test_acc1 for j, job in enumerate(jobs) if job.record}
    ended = [job.state in ("done", "closed") for job in jobs]
    values = {j: value for j, value in accuracies.items() if value is not None}
    first_open = ended.index(False) if False in ended else len(jobs)
    return Progress(values, first_open, all(ended) and not values)


def seeds_due(plan: Plan, progress: Mapping[str, Progress]) -> dict[str, int]:
    """The number of confirm seeds that each study gets so far, by the study's id."""
    looks = looks_of(plan)
    due = {study.id: looks[0].seeds for study in plan.studies}
    for comparison in plan.family:
        pair = [_study(plan, comparison, arm) for arm in (comparison.a, comparison.b)]
        sides = [progress[study.id] for study in pair if study is not None]
        if len(sides) == 2 and not any(side.hopeless for side in sides):
            seeds = _seeds_of_pair(plan, looks, *sides)
            for study in pair:
                if study is not None:
                    due[study.id] = max(due[study.id], seeds)
    for study in plan.studies:
        _lend_seeds(plan, study, due)
    return due


def _seeds_of_pair(plan: Plan, looks: Sequence[Look], a: Progress, b: Progress) -> int:
    """The seeds of the look that decided the pair; of the next look while it is open."""
    ended = min(a.ended, b.ended)
    taken = sum(look.seeds <= ended for look in looks)
    grain = 1 / plan.test_size if plan.test_size else 0.0
    planned = [(look.seeds, look.level) for look in looks]
    state = after_looks(a.values, b.values, planned, taken, plan.confirm.margin, grain)
    return looks[state.taken - 1 if state.decided else min(taken, len(looks) - 1)].seeds


def _study(plan: Plan, comparison: Comparison, arm: str) -> Study | None:
    """The study of an arm in a comparison; None if it has no network at that budget."""
    for study in plan.feasible():
        met = study.matching in (None, comparison.matching)
        if met and (study.arm, study.budget) == (arm, comparison.budget):
            return study
    return None


def _lend_seeds(plan: Plan, study: Study, due: dict[str, int]) -> None:
    """A study whose architectures others train gets the seeds that they get."""
    if study.source is not None:
        due[study.source] = max(due[study.source], due[study.id])
        _lend_seeds(plan, plan.study(study.source), due)
