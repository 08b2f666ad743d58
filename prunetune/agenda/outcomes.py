"""The outcome of a study: its search, its winner, and the confirm trials of that winner.

Growth may change a winner. The records of the former winner stay in the storage but no longer
count: a record counts only as long as every trial counts that it started from.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean
from typing import Generic

from prunetune.config.space.space import Config
from prunetune.plan import Study
from prunetune.records.record import BY_SURROUNDINGS
from prunetune.records.trial_outcome import EndedT, ranked


@dataclass(frozen=True)
class Pick:
    """The configuration that a study's confirm trials train, and its number in the search."""

    number: int
    config: Config


@dataclass(frozen=True)
class StudyOutcome(Generic[EndedT]):
    """The records of one study that count, in the order of their numbers and seeds."""

    study: str
    search: tuple[EndedT, ...] = ()
    rescores: tuple[EndedT, ...] = ()
    """Finalists trained again on fresh seeds, where `confirm.top` asks for that."""
    winner: EndedT | None = None
    """The best of the records so far; final once search and re-scores are complete. None where
    nothing is searched."""
    pick: Pick | None = None
    """The winner's configuration; where nothing is searched, the only one there is."""
    confirms: tuple[EndedT, ...] = ()
    """Runs of the pick on fresh seeds, however they ended."""

    @property
    def confirmed(self) -> tuple[EndedT, ...]:
        """The confirm records that completed."""
        return tuple(r for r in self.confirms if r.status == "completed")

    @property
    def lost_to_machines(self) -> tuple[EndedT, ...]:
        """Trials that might have changed the winner, and that failed by their machines' doing."""
        decisive = (*self.search, *self.rescores)
        return tuple(r for r in decisive if r.failed_by in BY_SURROUNDINGS)


def study_outcome(
    study: str,
    records: Iterable[EndedT],
    source: StudyOutcome[EndedT] | None,
    top: int = 1,
    given: Pick | None = None,
) -> StudyOutcome[EndedT]:
    """The outcome of one study, from its records and the outcome of its source.

    `given` is the configuration of a study that searches nothing.
    """
    search_sources: set[str | None] = {None}
    confirm_sources = search_sources
    if source is not None:
        search_sources = {source.winner.key} if source.winner else set()
        confirm_sources = {r.key for r in source.confirms}
    by_phase: dict[str, list[EndedT]] = {"search": [], "rescore": [], "confirm": []}
    for record in records:
        sources = confirm_sources if record.phase == "confirm" else search_sources
        if record.inputs.get("architecture") in sources:
            by_phase[record.phase].append(record)
    search = sorted(by_phase["search"], key=lambda r: r.number or 0)
    best = finalists(search, top)
    numbers = {r.number for r in best}
    rescores = sorted(
        (r for r in by_phase["rescore"] if r.number in numbers), key=lambda r: (r.number, r.seed)
    )
    winner = best_rescored(best, rescores) or next(iter(best), None)
    pick = given or (Pick(winner.number or 0, winner.config) if winner else None)
    confirms = [r for r in by_phase["confirm"] if pick is not None and r.number == pick.number]
    confirms.sort(key=lambda r: r.seed)
    return StudyOutcome(study, tuple(search), tuple(rescores), winner, pick, tuple(confirms))


def given_pick(study: Study, lender: StudyOutcome[EndedT] | None) -> Pick | None:
    """The configuration of a study that searches nothing; None while its lender has no winner.

    It is the only one of the study's space, or its constants with the recipe of the lender's pick.
    """
    if study.recipe_source is None:
        return Pick(0, study.space.constants())
    if lender is None or lender.pick is None:
        return None
    lent = lender.pick.config
    return Pick(lender.pick.number, study.space.draw(lambda dimension: lent[dimension.path]))


def finalists(search: Iterable[EndedT], top: int) -> list[EndedT]:
    """The `top` search records, best first; re-scores decide among them."""
    return ranked(search)[:top]


def best_rescored(best: list[EndedT], rescores: list[EndedT]) -> EndedT | None:
    """The finalist with the highest mean over its re-scores; None while nothing is re-scored.

    A re-score that diverged counts as zero. A re-score that failed is a fault and does not count.
    Ties go to the lower mean val_loss, then to the better rank in the search.
    """

    def mean(finalist: EndedT) -> tuple[float, float]:
        counted = [r for r in rescores if r.number == finalist.number and r.status != "failed"]
        completed = [r for r in counted if r.status == "completed"]
        accuracies = sum(r.val_acc1 or 0.0 for r in completed)
        accuracy = accuracies / len(counted) if counted else float("-inf")
        losses = [r.val_loss for r in completed if r.val_loss is not None]
        return -accuracy, fmean(losses) if losses else float("inf")

    rescored = [r for r in best if mean(r)[0] < float("inf")]
    return min(rescored, key=mean, default=None)
