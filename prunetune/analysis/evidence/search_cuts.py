"""What a shorter search would have found: the first trials of each study, and what they lose.

Confirm seeds exist for the winner of the whole search only. So the loss of a shorter search is
estimated on validation: the best of its first trials against the best of all. The best of many
trials is best partly by luck, so the loss is rather overestimated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from prunetune.agenda import Agenda
from prunetune.analysis.evidence.compared import Compared, replicates_of, searched_paths
from prunetune.analysis.evidence.confirmed import ConfirmedStudy
from prunetune.plan import Study
from prunetune.records.record import Frozen
from prunetune.records.trial_outcome import ranked

_ROUNDING = 1 + 1e-9


class SearchCut(Frozen):
    """A search cut after its first trials."""

    study: str
    matching: str | None
    """The matching under which the studies are compared; a study may compete under several."""
    kept: int
    """Its first trials that are kept, of `trials`."""
    trials: int
    winner: int | None = None
    """Number of the best trial among them; None if none completed."""
    loss: float | None = None
    """By how much the best validation accuracy is lower than that of the whole search."""


def half_of_trials(agenda: Agenda, compared: Compared) -> list[SearchCut]:
    """Every search of a comparison after half of its trials."""
    return [
        _cut(agenda, compared, study, (study.trials + 1) // 2)
        for study in _searches(agenda, compared)
    ]


def equal_search_macs(agenda: Agenda, compared: Compared) -> list[SearchCut]:
    """Every search of a comparison at the MACs of the cheapest one of the same replicate.

    The first trial is kept in any case.
    """
    cuts = []
    searches = _searches(agenda, compared)
    for replicate in {study.replicate: None for study in searches}:
        together = [study for study in searches if study.replicate == replicate]
        spent = {s.id: [r.train_macs.spent for r in agenda.outcome(s).search] for s in together}
        limit = min(map(sum, spent.values())) * _ROUNDING
        for study in together:
            macs = spent[study.id]
            within = sum(sum(macs[: n + 1]) <= limit for n in range(len(macs)))
            cuts.append(_cut(agenda, compared, study, max(1, within)))
    return cuts


def after_cuts(
    confirmed: Mapping[str, ConfirmedStudy], cuts: Mapping[str, SearchCut]
) -> dict[str, ConfirmedStudy]:
    """The confirmed studies as the shorter searches would have left them.

    Every accuracy is lowered by the loss of its search; a study without a recipe has none left.
    """
    return {study: _lowered(known, cuts.get(study)) for study, known in confirmed.items()}


def _lowered(known: ConfirmedStudy, cut: SearchCut | None) -> ConfirmedStudy:
    if cut is None:
        return known
    loss = cut.loss
    values = {} if loss is None else {seed: value - loss for seed, value in known.values.items()}
    return replace(known, values=values)


def _searches(agenda: Agenda, compared: Compared) -> list[Study]:
    """The finished searches of a comparison, in all replicates."""
    studies = [s for each in compared.studies for s in replicates_of(agenda.plan, each)]
    return [s for s in studies if searched_paths(s) and agenda.outcome(s).winner]


def _cut(agenda: Agenda, compared: Compared, study: Study, kept: int) -> SearchCut:
    search = agenda.outcome(study).search
    best = next(iter(ranked(search)))
    left = next(iter(ranked(search[:kept])), None)
    loss = None if left is None else (best.val_acc1 or 0.0) - (left.val_acc1 or 0.0)
    return SearchCut(
        study=study.id,
        matching=compared.matching,
        kept=min(kept, len(search)),
        trials=len(search),
        winner=None if left is None else left.number,
        loss=loss,
    )
