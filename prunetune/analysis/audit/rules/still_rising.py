"""Search effort: a search that still finds better recipes has not ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prunetune.analysis.audit.case import Case
from prunetune.analysis.audit.rule import Flaw, rule
from prunetune.analysis.evidence.compared import searched_paths
from prunetune.analysis.evidence.detectable import detectable_difference
from prunetune.analysis.format import listing, points
from prunetune.records.record import Record, ranked


@rule(
    "search",
    "warning",
    reason="If the last third of the trials still raised the best by more than half of the "
    "difference that the sweep can detect, more trials could change the verdict.",
)
def still_rising(case: Case) -> Iterator[Flaw]:
    """Studies whose best validation accuracy still rose in the last third of their trials."""
    limit = detectable_difference(case.plan, case.confirmed.values()) / 2
    rising = {}
    for study in case.plan.studies:
        search = case.outcome(study).search
        if searched_paths(study) and len(search) == study.trials:
            gain = late_gain(search, study.trials)
            if gain > limit:
                rising[study.id] = gain
    if rising:
        gains = listing(f"{study} by {points(gain, False)}" for study, gain in rising.items())
        winners = (case.outcome(case.plan.study(study)).winner for study in rising)
        yield Flaw(
            "warning",
            f"The last third of the trials raised the best validation accuracy of {gains} points "
            f"(limit: {points(limit, False)}).",
            "Raise search.trials; finished trials are kept, and the search goes on.",
            tuple(winner.key for winner in winners if winner),
        )


def late_gain(search: Sequence[Record], trials: int) -> float:
    """By how much the last third of the trials raised the best validation accuracy."""
    early = [r for r in search if (r.number or 0) < trials - trials // 3]
    best = [next((r.val_acc1 or 0.0 for r in ranked(some)), None) for some in (early, search)]
    return best[1] - best[0] if best[0] is not None and best[1] is not None else 0.0
