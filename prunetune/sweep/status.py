"""How far a sweep is, from its plan and its records alone."""

from __future__ import annotations

from collections.abc import Mapping

from prunetune.agenda import Agenda, Trials, closed, status_rows
from prunetune.config.parts import Params
from prunetune.records.store import Store
from prunetune.sweep.orchestrate import load_plan


class StudyStatus(Params):
    """One study, or the dense networks (`dense`)."""

    study: str
    phases: Mapping[str, tuple[int, int]]
    """Phase -> (done, owed)."""
    ended: Mapping[str, int]
    """How its trials ended."""
    val_acc1: float | None = None
    """The best of its search."""
    winner: str | None = None
    confirm_acc1: float | None = None
    confirm_n: int = 0
    closed: Mapping[str, int] = {}
    """Reason -> trials that can never run."""
    infeasible: str | None = None


class Status(Params):
    """All of a sweep."""

    sweep: str
    done: int
    owed: int
    """Trials done, and in all; those that can never run are not counted."""
    unfinished: int
    """Trials that were dealt and have no record."""
    running: bool
    """Whether a process holds the sweep: those trials run, or else go on when the sweep does."""
    studies: tuple[StudyStatus, ...]


def status_of(store: Store) -> Status:
    """The state of the sweep; NoSweepError if there is none of that name."""
    plan, records, dealt = load_plan(store), store.records(), store.trials()
    agenda = Agenda(plan, Trials(records, dealt))
    reasons: dict[str, dict[str, int]] = {}
    for job in closed(agenda):
        of_study = reasons.setdefault(job.study or "dense", {})
        of_study[job.reason] = of_study.get(job.reason, 0) + 1
    studies = []
    for row in status_rows(agenda):
        phases = {p: (t.done, t.total - t.closed) for p, t in row.phases.items()}
        study = StudyStatus(
            study=row.study,
            phases=phases,
            ended=dict(row.ended),
            val_acc1=row.val_acc1,
            winner=row.winner.key if row.winner else None,
            confirm_acc1=row.confirm_acc1,
            confirm_n=row.confirm_n,
            closed=reasons.get(row.study, {}),
            infeasible=None if row.study == "dense" else plan.infeasible(row.study),
        )
        studies.append(study)
    return Status(
        sweep=plan.sweep,
        done=sum(done for s in studies for done, _ in s.phases.values()),
        owed=sum(owed for s in studies for _, owed in s.phases.values()),
        unfinished=len(dealt.keys() - records.keys()),
        running=store.is_locked(),
        studies=tuple(studies),
    )
