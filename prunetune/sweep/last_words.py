"""What is missing or doubtful when a sweep ends, and what comes next, in sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prunetune.agenda import Agenda, StudyOutcome, status_rows
from prunetune.analysis.format import listing, plural
from prunetune.sweep.commands import shell_command

if TYPE_CHECKING:
    from prunetune.analysis.report import Report


def machine_losses(agenda: Agenda[Any]) -> Iterator[str]:
    """A sentence for each study whose winner may be another because machines failed."""
    for study in agenda.plan.studies:
        outcome = agenda.outcome(study)
        if outcome.lost_to_machines:
            yield f"{study.id}: {_loss(outcome)}"


def _loss(outcome: StudyOutcome[Any]) -> str:
    lost = outcome.lost_to_machines
    trials = plural(len(lost), f"{lost[0].phase} trial")
    errors = listing(dict.fromkeys(record.error or "" for record in lost))
    winner = "The winner is the best of the others" if outcome.winner else "There is no winner"
    return (
        f"{trials} ({listing(r.key for r in lost)}) ended without a result: {errors}. {winner}; "
        "--retry-failed runs what is lost again, and may change the winner"
    )


def next_steps(
    report: Report,
    sweep: str,
    storage: str | Path,
    folder: object,
    mlflow: str | None = None,
) -> Iterator[str]:
    """Where the answer lies, on MLflow's server too if it has it, and what to type next."""
    counted = Counter(finding.severity for finding in report.findings)
    said = listing(plural(n, severity) for severity, n in counted.items()) if counted else "nothing"
    yield f"page: {folder}/index.html (beside it report.json, frontier.csv, trials.csv, figures)"
    if mlflow is not None:
        yield f"MLflow: {mlflow}"
    yield f"next: {shell_command('ui', sweep, storage)}  # frontier, recipes and curves in MLflow"
    yield f"      {shell_command('audit', sweep, storage)}  # what is unfair or doubtful: {said}"
    yield f"      {shell_command('status', sweep, storage)}  # trials and winners of every study"


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
