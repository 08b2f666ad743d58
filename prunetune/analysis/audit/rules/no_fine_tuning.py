"""Fine-tuning: pruned networks that were not trained after the cut."""

from __future__ import annotations

from collections.abc import Iterator

from prunetune.analysis.audit.case import Case
from prunetune.analysis.audit.rule import Flaw, rule
from prunetune.analysis.format import listing


@rule(
    "amount",
    "note",
    reason="Accuracy right after a cut says little of the accuracy that fine-tuning restores, and "
    "nobody deploys a network without it.",
)
def no_fine_tuning(case: Case) -> Iterator[Flaw]:
    """Arms whose pruned networks train for no epoch after the cut."""
    arms = {
        study.arm: None
        for study in case.plan.feasible()
        if study.inherits and study.epochs == 0 and study.sparsifying is None
    }
    if arms:
        yield Flaw(
            "note",
            f"Networks of {listing(arms)} are judged as they come from the cut.",
            "Set training.finetune_epochs, unless the question is about untrained cuts.",
        )
