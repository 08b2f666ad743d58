"""Collapse: confirmed networks that are near chance."""

from __future__ import annotations

from collections.abc import Iterator

from prunetune.analysis.audit.case import Case
from prunetune.analysis.audit.rule import Flaw, rule
from prunetune.analysis.format import listing


@rule(
    "course",
    "warning",
    reason="A t interval over seeds of which some collapse covers the mean in 83 to 89 % of cases "
    "instead of 95 %; leaving the seeds out is worse, since collapse is the arm's own doing.",
)
def collapsed_trials(case: Case) -> Iterator[Flaw]:
    """Confirm seeds whose accuracy is nearer to chance than to that of the other networks."""
    lost = {
        study_id: [loss.seed for loss in confirmed.lost if loss.status == "collapsed"]
        for study_id, confirmed in case.confirmed.items()
    }
    for study_id, seeds in lost.items():
        if seeds:
            keys = {r.seed: r.key for r in case.confirmed[study_id].outcome.confirms}
            yield Flaw(
                "warning",
                f"{study_id}: confirm seeds {listing(map(str, seeds))} are near chance.",
                "Report them beside mean and median; never drop them. Look for a recipe with a "
                "smaller learning rate or a warm-up.",
                tuple(keys[seed] for seed in seeds if seed in keys),
            )
