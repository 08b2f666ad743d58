"""Former winners: networks that were confirmed and no longer count."""

from __future__ import annotations

from collections.abc import Iterator

from prunetune.analysis.audit.case import Case
from prunetune.analysis.audit.rule import Flaw, rule
from prunetune.analysis.format import listing, plural


@rule(
    "course",
    "note",
    reason="A search that grew may find another winner. The confirmed networks of the former one "
    "were seen on the test set and cost MACs, but stand in no verdict.",
)
def winner_replaced(case: Case) -> Iterator[Flaw]:
    """Confirmed networks of a configuration that is no longer the winner of its study."""
    for study in case.plan.studies:
        counted = {r.key for r in case.outcome(study).confirms}
        former = [
            r
            for r in case.agenda.trials.ended(study.id)
            if r.phase == "confirm" and r.key not in counted
        ]
        if former:
            numbers = sorted({r.number for r in former if r.number is not None})
            yield Flaw(
                "note",
                f"{study.id}: {plural(len(former), 'confirmed network')} of the former winner "
                f"(trial {listing(map(str, numbers))}) no longer count.",
                "Nothing to do: they stay in the ledger. Say that the winner changed.",
                tuple(r.key for r in former),
            )
