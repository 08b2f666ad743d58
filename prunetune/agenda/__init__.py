"""What a sweep consists of and what is due: pure functions of the plan and its trials."""

from prunetune.agenda.agenda import Agenda
from prunetune.agenda.counts import Amount, Counts, counts
from prunetune.agenda.due import Closed, Deal, Finished, Wait, closed, due
from prunetune.agenda.outcomes import StudyOutcome
from prunetune.agenda.specs import Ask, dense_spec, search_spec
from prunetune.agenda.status_rows import StatusRow, Tally, answer, status_rows
from prunetune.agenda.trials import Trials

__all__ = [
    "Agenda",
    "Amount",
    "Ask",
    "Closed",
    "Counts",
    "Deal",
    "Finished",
    "StatusRow",
    "StudyOutcome",
    "Tally",
    "Trials",
    "Wait",
    "answer",
    "closed",
    "counts",
    "dense_spec",
    "due",
    "search_spec",
    "status_rows",
]  # fmt: skip
