"""What a sweep consists of and what is due: pure functions of the plan and its trials."""

from prunetune.agenda.agenda import Agenda
from prunetune.agenda.counts import Amount, Counts, counts
from prunetune.agenda.due import Closed, Deal, Finished, Wait, closed, due
from prunetune.agenda.outcomes import Answer
from prunetune.agenda.specs import Ask, dense_spec, search_spec
from prunetune.agenda.status_rows import Row, Tally, answer, progress
from prunetune.agenda.trials import Trials

__all__ = [
    "Agenda", "Amount", "Answer", "Ask", "Closed", "Counts", "Deal", "Finished", "Row", "Tally",
    "Trials", "Wait", "answer", "closed", "counts", "dense_spec", "due", "progress", "search_spec",
]  # fmt: skip
