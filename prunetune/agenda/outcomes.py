"""Which records answer for a study: its search, its winner, and the confirm trials on that winner.

Growth may change a winner. The former winner's records stay, but what they stand on is no longer
the answer; a record stands only if all that it was dealt on stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Protocol

from prunetune.records.record import Record, ranked


class StudyLike(Protocol):
    """What has to be known of a study to find its answer."""

    @property
    def id(self) -> str:
        """The name that its records bear."""

    @property
    def source(self) -> str | None:
        """The study whose winning architecture it trains."""


@dataclass(frozen=True)
class StudyOutcome:
    """The records of one study that stand, in the order of their numbers and seeds."""

    study: str
    search: tuple[Record, ...] = ()
    rescores: tuple[Record, ...] = ()
    """Further looks at the best of the search, where `confirm.top` asks for them."""
    winner: Record | None = None
    """Of the records so far; final once search and re-scores are complete."""
    confirms: tuple[Record, ...] = ()
    """Runs of the winner on fresh seeds, however they ended."""

    @property
    def confirmed(self) -> tuple[Record, ...]:
        """The confirm records that completed."""
        return tuple(r for r in self.confirms if r.status == "completed")


def study_outcomes(
    studies: Iterable[StudyLike], records: Mapping[str, Record], top: int = 1
) -> dict[str, StudyOutcome]:
    """The answer of every study, by its id; `top` is the plan's `confirm.top`."""
    by_study: dict[str, list[Record]] = {}
    for record in records.values():
        if record.study is not None:
            by_study.setdefault(record.study, []).append(record)
    wanted = {study.id: study for study in studies}
    found: dict[str, StudyOutcome] = {}

    def find(study: StudyLike) -> StudyOutcome:
        if study.id not in found:
            source = None if study.source is None else find(wanted[study.source])
            found[study.id] = study_outcome(study.id, by_study.get(study.id, []), source, top)
        return found[study.id]

    return {study_id: find(study) for study_id, study in wanted.items()}


def study_outcome(
    study: str, records: Iterable[Record], source: StudyOutcome | None, top: int = 1
) -> StudyOutcome:
    """The answer of one study from its own records and the answer of its source."""
    basis: set[str | None] = {None}
    confirm_bases = basis
    if source is not None:
        basis = {source.winner.key} if source.winner else set()
        confirm_bases = {r.key for r in source.confirms}
    by_phase: dict[str, list[Record]] = {"search": [], "rescore": [], "confirm": []}
    for record in records:
        stands = confirm_bases if record.phase == "confirm" else basis
        if record.inputs.get("architecture") in stands:
            by_phase[record.phase].append(record)
    search = sorted(by_phase["search"], key=lambda r: r.number or 0)
    best = finalists(search, top)
    numbers = {r.number for r in best}
    rescores = sorted(
        (r for r in by_phase["rescore"] if r.number in numbers), key=lambda r: (r.number, r.seed)
    )
    winner = best_rescored(best, rescores) or next(iter(best), None)
    confirms = [r for r in by_phase["confirm"] if winner is not None and r.number == winner.number]
    confirms.sort(key=lambda r: r.seed)
    return StudyOutcome(study, tuple(search), tuple(rescores), winner, tuple(confirms))


def finalists(search: Iterable[Record], top: int) -> list[Record]:
    """The search records among which the winner is: the best alone, or the `top` re-scored."""
    return ranked(search)[:top]


def best_rescored(best: list[Record], rescores: list[Record]) -> Record | None:
    """The finalist with the highest mean over its re-scores; None while nothing is re-scored.

    A re-score that diverged counts as zero; one that failed is a fault and says nothing. Ties go to
    the lower mean val_loss, then to the better rank in the search.
    """

    def mean(record: Record) -> tuple[float, float]:
        own = [r for r in rescores if r.number == record.number and r.status != "failed"]
        done = [r for r in own if r.status == "completed"]
        accuracy = sum(r.val_acc1 or 0.0 for r in done) / len(own) if own else float("-inf")
        losses = [r.val_loss for r in done if r.val_loss is not None]
        return -accuracy, fmean(losses) if losses else float("inf")

    known = [r for r in best if mean(r)[0] < float("inf")]
    return min(known, key=mean, default=None)
