"""The progress of a sweep: one row per study, for `prunetune status` and the live table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean

from prunetune.agenda.agenda import Agenda
from prunetune.agenda.jobs import Job
from prunetune.records.record import Phase, Status
from prunetune.records.trial_outcome import EndedT


@dataclass(frozen=True)
class Tally:
    """Numbers of trials in one phase of one study."""

    total: int = 0
    done: int = 0
    running: int = 0
    closed: int = 0


@dataclass(frozen=True)
class StatusRow:
    """One study, or the dense networks."""

    study: str
    """Its id; `dense` for the dense networks."""
    phases: Mapping[Phase, Tally]
    """Only the phases that have trials; re-scores appear once the search trials are complete."""
    ended: Mapping[Status, int]
    """Number of its trials by the status with which they ended."""
    val_acc1: float | None = None
    """Validation accuracy of the winner."""
    winner: str | None = None
    """Key of the best search trial so far; final once search and re-scores are complete."""
    confirm_acc1: float | None = None
    """Mean test accuracy of the winner's confirm trials; in row `dense`, of all dense networks."""
    confirm_n: int = 0

    @property
    def running(self) -> int:
        """Number of trials that run."""
        return sum(tally.running for tally in self.phases.values())


def status_rows(agenda: Agenda[EndedT]) -> list[StatusRow]:
    """One row for the dense networks, then one per study, in the order of the plan."""
    dense = (*agenda.search_dense.jobs, *agenda.confirm_dense.jobs)
    networks = [job.record for job in dense if job.record and job.record.status == "completed"]
    rows = [_row("dense", dense, confirmed=networks)]
    for study in agenda.plan.studies:
        outcome = agenda.outcome(study)
        jobs = agenda.searching(study).jobs + agenda.confirming(study).jobs
        rows.append(_row(study.id, jobs, confirmed=outcome.confirmed, winner=outcome.winner))
    return rows


def _row(
    name: str,
    jobs: Iterable[Job[EndedT]],
    confirmed: Iterable[EndedT],
    winner: EndedT | None = None,
) -> StatusRow:
    by_phase: dict[Phase, Counter[str]] = {}
    ended: Counter[Status] = Counter()
    for job in jobs:
        by_phase.setdefault(job.phase, Counter())[job.state] += 1
        if job.record:
            ended[job.record.status] += 1
    phases = {
        phase: Tally(states.total(), states["done"], states["running"], states["closed"])
        for phase, states in by_phase.items()
    }
    tests = [r.test_acc1 for r in confirmed if r.test_acc1 is not None]
    return StatusRow(
        study=name,
        phases=phases,
        ended=dict(ended),
        val_acc1=winner.val_acc1 if winner else None,
        winner=winner.key if winner else None,
        confirm_acc1=fmean(tests) if tests else None,
        confirm_n=len(tests),
    )
