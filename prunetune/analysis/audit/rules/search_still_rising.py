"""Search effort: a search that still finds better recipes has not ended."""

from __future__ import annotations

from collections.abc import Iterator

from prunetune.analysis.audit.case import Case
from prunetune.analysis.audit.rule import Flaw, rule
from prunetune.analysis.evidence.compared import searched_paths
from prunetune.analysis.evidence.detectable import detectable_difference
from prunetune.analysis.evidence.efforts import worth
from prunetune.analysis.format import listing, points
from prunetune.statistics.effort import best_so_far, still_rising


@rule(
    "search",
    "warning",
    reason="If the last third of the trials still raised the best by more than half of the "
    "difference that the sweep can detect, more trials could change the verdict.",
)
def search_still_rising(case: Case) -> Iterator[Flaw]:
    """Studies whose best validation accuracy still rose in the last third of their trials."""
    difference = detectable_difference(case.plan, case.confirmed.values())
    rising = {}
    for study in case.plan.studies:
        search = case.outcome(study).search
        if searched_paths(study) and len(search) == study.trials:
            best = best_so_far([worth(record) for record in search])
            if still_rising(best, difference):
                rising[study.id] = best[-1] - best[len(best) - len(best) // 3 - 1]
    if rising:
        gains = listing(f"{study} by {points(gain, False)}" for study, gain in rising.items())
        winners = (case.outcome(case.plan.study(study)).winner for study in rising)
        yield Flaw(
            "warning",
            f"The last third of the trials raised the best validation accuracy of {gains} points "
            f"(limit: {points(difference / 2, False)}).",
            "Raise search.trials; finished trials are kept, and the search goes on.",
            tuple(winner.key for winner in winners if winner),
        )
