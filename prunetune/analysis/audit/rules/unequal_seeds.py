"""Confirm seeds: arms are compared on equally many results."""

from __future__ import annotations

from collections.abc import Iterator

from prunetune.analysis.audit.case import Case, by_text
from prunetune.analysis.audit.rule import Flaw, rule
from prunetune.analysis.evidence.compared import Compared, replicates_of
from prunetune.analysis.format import listing
from prunetune.plan import Study


@rule(
    "arms",
    "warning",
    reason="A missing seed is seldom missing by chance: seeds that diverge or run out of memory "
    "are those of the harder runs, and what remains overstates the arm.",
)
def unequal_seeds(case: Case) -> Iterator[Flaw]:
    """Compared arms with different numbers of confirmed accuracies, none of which is to come."""
    settled = {compared.name for compared in case.compared if not _pending(case, compared)}
    differences = case.differing(lambda study: _confirmed(case, study))
    unequal = ((name, numbers) for name, numbers in differences if name in settled)
    for text, places in by_text(unequal).items():
        yield Flaw(
            "warning",
            f"Numbers of confirmed results differ ({text}) at {listing(places)}.",
            "Run failed seeds again (--retry-failed); report seeds that diverged beside the mean.",
        )


def _confirmed(case: Case, study: Study) -> int:
    return sum(len(case.confirmed[s.id].values) for s in replicates_of(case.plan, study))


def _pending(case: Case, compared: Compared) -> bool:
    replicates = (s for study in compared.studies for s in replicates_of(case.plan, study))
    return any(case.confirmed[study.id].pending for study in replicates)
