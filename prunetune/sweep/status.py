"""How far a sweep has come, from its plan and its records alone."""

from __future__ import annotations

from collections.abc import Mapping

from prunetune.agenda import Agenda, StatusRow, Trials, closed, status_rows
from prunetune.config.parts import Params
from prunetune.plan import Plan
from prunetune.records.running_time import saved_seconds
from prunetune.records.store import Store
from prunetune.sweep.last_words import machine_losses
from prunetune.sweep.plan_file import load_plan
from prunetune.sweep.unfinished import UnfinishedTrial, unfinished_trials


class StudyStatus(Params):
    """The state of one study, or of the dense networks (`dense`)."""

    study: str
    phases: Mapping[str, tuple[int, int]]
    """Phase -> (done, owed)."""
    ended: Mapping[str, int]
    """Status -> number of trials that ended so."""
    val_acc1: float | None = None
    """The best of the search."""
    winner: str | None = None
    confirm_acc1: float | None = None
    confirm_n: int = 0
    closed: Mapping[str, int] = {}
    """Reason -> number of trials that can never run."""
    infeasible: str | None = None


class SweepStatus(Params):
    """The state of a whole sweep."""

    sweep: str
    done: int
    owed: int
    """Trials that are to be done in all; those that can never run are not counted."""
    unfinished: int
    """Trials that have begun and have no record."""
    running: bool
    """Whether a process runs the sweep now; unfinished trials run, or wait until one does."""
    studies: tuple[StudyStatus, ...]
    damaged: tuple[str, ...] = ()
    """A sentence on each record and trial that cannot be read; all else leaves them out."""
    trials: tuple[UnfinishedTrial, ...] = ()
    """The unfinished trials: what they are, where they run and since when."""
    doubts: tuple[str, ...] = ()
    """A sentence for each study whose winner may be another because machines failed."""
    running_s: float | None = None
    """How long the sweep has run in all its starts, which `limits.hours` limits."""


def status_of(store: Store) -> SweepStatus:
    """The state of a sweep.

    Raises:
        NoSweepError: the storage has no such sweep.
    """
    damaged: list[str] = []
    plan, records = load_plan(store), store.outcomes(damaged)
    dealt = store.trials(records, damaged)  # trials with a record need no other fact
    agenda = Agenda(plan, Trials(records, dealt))
    reasons: dict[str, dict[str, int]] = {}
    for job in closed(agenda):
        of_study = reasons.setdefault(job.study or "dense", {})
        of_study[job.reason] = of_study.get(job.reason, 0) + 1
    studies = [_study_status(plan, row, reasons.get(row.study, {})) for row in status_rows(agenda)]
    return SweepStatus(
        sweep=plan.sweep,
        done=sum(done for s in studies for done, _ in s.phases.values()),
        owed=sum(owed for s in studies for _, owed in s.phases.values()),
        unfinished=len(dealt),
        running=store.is_locked(),
        studies=tuple(studies),
        damaged=tuple(damaged),
        trials=unfinished_trials(store, dealt.values()),
        doubts=tuple(machine_losses(agenda)),
        running_s=saved_seconds(store.running_time),
    )


def _study_status(plan: Plan, row: StatusRow, reasons: Mapping[str, int]) -> StudyStatus:
    return StudyStatus(
        study=row.study,
        phases={p: (t.done, t.total - t.closed) for p, t in row.phases.items()},
        ended=dict(row.ended),
        val_acc1=row.val_acc1,
        winner=row.winner,
        confirm_acc1=row.confirm_acc1,
        confirm_n=row.confirm_n,
        closed=reasons,
        infeasible=None if row.study == "dense" else plan.infeasible(row.study),
    )
