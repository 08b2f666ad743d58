"""Completeness: a comparison is judged when all of its trials have ended."""

from __future__ import annotations

from collections.abc import Iterator

from prunetune.analysis.audit.case import Case
from prunetune.analysis.audit.rule import Flaw, rule
from prunetune.analysis.format import plural


@rule(
    "course",
    "error",
    reason="A sweep that is stopped where the result pleases is growth after a look by another "
    "name; winners change until the last trial of a search has ended.",
)
def unfinished_sweep(case: Case) -> Iterator[Flaw]:
    """Trials of the plan that are still to come."""
    states = [job.state for job in case.agenda.jobs]
    missing = sum(state not in ("done", "closed") for state in states)
    if missing:
        yield Flaw(
            "error",
            f"{plural(missing, 'trial')} of {len(states)} are still to come.",
            "Run the same `prunetune sweep` command again; it continues where it stopped.",
        )
