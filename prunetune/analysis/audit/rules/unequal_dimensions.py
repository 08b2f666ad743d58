"""Dimensions: the same number of trials covers a small space better than a large one."""

from __future__ import annotations

from collections.abc import Iterator

from prunetune.analysis.audit.case import Case, by_text
from prunetune.analysis.audit.rule import Flaw, rule
from prunetune.analysis.evidence.compared import searched_paths
from prunetune.analysis.format import listing


@rule(
    "arms",
    "note",
    reason="Equal trials are not equal effort: spreading 16 trials over 13 criteria doubles the "
    "distance to the best configuration, from 0.21 to 0.40 points (simulated).",
)
def unequal_dimensions(case: Case) -> Iterator[Flaw]:
    """Compared arms that search different numbers of values with their trials."""
    differences = case.differing(lambda study: len(searched_paths(study)), searching=True)
    for text, places in by_text(differences).items():
        yield Flaw(
            "note",
            f"Arms search different numbers of values ({text}) at {listing(places)}.",
            "Compare the verdicts at half the trials and at all of them: an arm that still gains "
            "from trials is under-searched. Give every arm a published recipe under `first`.",
        )
