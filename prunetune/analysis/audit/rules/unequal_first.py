"""Published recipes: an arm that starts from one has a head start."""

from __future__ import annotations

from collections.abc import Iterator

from prunetune.analysis.audit.case import Case, by_text
from prunetune.analysis.audit.rule import Flaw, rule
from prunetune.analysis.format import listing


@rule(
    "arms",
    "warning",
    reason="A published recipe is the result of somebody else's search. Given to one arm only, it "
    "adds trials to that arm that no ledger counts.",
)
def unequal_first(case: Case) -> Iterator[Flaw]:
    """Compared arms of which some are given configurations to try first, and others none."""
    differences = case.differing(lambda study: len(study.first), searching=True)
    unequal = ((name, values) for name, values in differences if 0 in values.values())
    for text, places in by_text(unequal).items():
        yield Flaw(
            "warning",
            f"Configurations given under `first` differ ({text}) at {listing(places)}.",
            "Give every arm the recipe that is published for it under arms.ARM.first, or none.",
        )
