"""The trials of a sweep, and which trial is due next: computed from plan and records alone."""

from prunetune.agenda.agenda import Agenda, study_outcomes
from prunetune.agenda.counts import Amount, Counts, counts
from prunetune.agenda.due import Deal, Finished, Wait, closed, due
from prunetune.agenda.jobs import Job
from prunetune.agenda.outcomes import Pick, StudyOutcome
from prunetune.agenda.remaining import Task, remaining, task_of
from prunetune.agenda.specs import Ask, dense_spec, search_spec, spec_of_dense
from prunetune.agenda.status_rows import StatusRow, Tally, status_rows
from prunetune.agenda.trials import Trials

__all__ = [
    "Agenda",
    "Amount",
    "Ask",
    "Counts",
    "Deal",
    "Finished",
    "Job",
    "Pick",
    "StatusRow",
    "StudyOutcome",
    "Tally",
    "Task",
    "Trials",
    "Wait",
    "closed",
    "counts",
    "dense_spec",
    "due",
    "remaining",
    "search_spec",
    "spec_of_dense",
    "status_rows",
    "study_outcomes",
    "task_of",
]  # fmt: skip
