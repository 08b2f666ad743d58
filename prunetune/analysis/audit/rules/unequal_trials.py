"""Equal trials: a better-searched arm looks better than it is."""

from __future__ import annotations

from collections.abc import Iterator

from prunetune.analysis.audit.case import Case, by_text
from prunetune.analysis.audit.rule import Flaw, rule
from prunetune.analysis.format import listing


@rule(
    "arms",
    "error",
    reason="The best of more trials is better by chance alone, so unequal effort decides for the "
    "arm that got more (AlgoPerf gives every submission the same number of trials).",
)
def unequal_trials(case: Case) -> Iterator[Flaw]:
    """Compared arms that search with different numbers of trials."""
    differences = case.differing(lambda study: study.trials, searching=True)
    for text, places in by_text(differences).items():
        yield Flaw(
            "error",
            f"Numbers of search trials differ ({text}) at {listing(places)}.",
            "Give every arm the same number of trials: search.trials holds for all arms.",
        )
