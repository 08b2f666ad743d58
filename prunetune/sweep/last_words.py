"""What is missing or doubtful when a sweep ends, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from prunetune.agenda import Agenda, StudyOutcome, status_rows
from prunetune.analysis.format import listing, plural


def machine_losses(agenda: Agenda) -> Iterator[str]:
    """A sentence for each study whose winner may be another because machines failed."""
    for study in agenda.plan.studies:
        outcome = agenda.outcome(study)
        if outcome.lost_to_machines:
            yield f"{study.id}: {_loss(outcome)}"


def _loss(outcome: StudyOutcome) -> str:
    lost = outcome.lost_to_machines
    trials = plural(len(lost), f"{lost[0].phase} trial")
    errors = listing(dict.fromkeys(record.error or "" for record in lost))
    winner = "The winner is the best of the others" if outcome.winner else "There is no winner"
    return (
        f"{trials} ({listing(r.key for r in lost)}) ended without a result: {errors}. {winner}; "
        "--retry-failed runs what is lost again, and may change the winner"
    )


def missing_trials(agenda: Agenda, hours: float) -> str:
    """What a sweep lacks that ended because its hours are used up."""
    parts, done, owed = [], 0, 0
    for row in status_rows(agenda):
        left = {p: t.total - t.closed - t.done for p, t in row.phases.items()}
        phases = " + ".join(f"{n} {phase}" for phase, n in left.items() if n)
        if phases:
            parts.append(f"{row.study}: {phases}" if row.study != "dense" else phases)
        done += sum(t.done for t in row.phases.values())
        owed += sum(t.total - t.closed for t in row.phases.values())
    return (
        f"ended by limits.hours: {hours:g} h are used up over all starts; {owed - done} of {owed} "
        f"trials are missing ({'; '.join(parts)}); raise limits.hours to go on"
    )
