"""Trials that failed by their machines' doing and might have won."""

from __future__ import annotations

from collections.abc import Iterator

from prunetune.analysis.audit.case import Case
from prunetune.analysis.audit.rule import Flaw, rule
from prunetune.analysis.format import plural


@rule(
    "course",
    "warning",
    reason="A worker that died again and again, or a trial that hung, says something about the "
    "machines. Without it a study's winner is the best of fewer trials than those of other arms.",
)
def lost_to_machines(case: Case) -> Iterator[Flaw]:
    """Searches that lost trials to machines: the winner was chosen without them."""
    for study in case.plan.studies:
        lost = case.outcome(study).lost_to_machines
        if lost:
            yield Flaw(
                "warning",
                f"{study.id} lost {plural(len(lost), 'trial')} of its search to its machines, and "
                "its winner was chosen without them.",
                "Run them again with --retry-failed; the winner may change.",
                tuple(record.key for record in lost),
            )
