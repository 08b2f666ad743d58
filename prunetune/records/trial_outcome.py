"""What decisions read of a trial that has ended; a running sweep keeps one for each trial."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from typing_extensions import TypeVar

from prunetune.records.record import FailedBy, Phase, Record, Status


@dataclass(frozen=True, slots=True)
class TrialOutcome:
    """The facts of a record by which winners are chosen, trials are stopped and jobs are counted.

    It takes a tenth of the memory of its record, which has the widths of all layers, all losses
    and the surroundings. Fields are those of `Record`.
    """

    key: str
    phase: Phase
    study: str | None
    number: int | None
    seed: int
    status: Status
    error: str | None
    failed_by: FailedBy | None
    config: dict[str, Any]
    inputs: dict[str, str]
    val_acc1: float | None
    val_loss: float | None
    test_acc1: float | None
    would_stop_at: int | None
    epochs: int
    epochs_planned: int
    budget_miss: float
    accuracies: Sequence[float] = ()
    """Left out in the index of records."""

    @classmethod
    def of(cls, record: Record) -> TrialOutcome:
        """The outcome that a record tells."""
        facts = {field.name: getattr(record, field.name) for field in fields(cls)}
        return cls(**{**facts, "accuracies": array("d", record.accuracies)})


EndedTrial = Record | TrialOutcome
"""A trial that has ended, in full or as decisions see it."""
EndedT = TypeVar("EndedT", bound=EndedTrial, default=Record)


def ranked(records: Iterable[EndedT]) -> list[EndedT]:
    """The search records that may win, best first: completed trials by decreasing val_acc1.

    Ties go to the lower val_loss, then to the lower number. A trial that early stopping would have
    stopped cannot win.
    """
    candidates = [
        r
        for r in records
        if r.phase == "search"
        and r.status == "completed"
        and r.val_acc1 is not None
        and r.would_stop_at is None
    ]
    return sorted(candidates, key=_rank)


def _rank(record: EndedTrial) -> tuple[float, float, int]:
    loss = record.val_loss if record.val_loss is not None else float("inf")
    return (-(record.val_acc1 or 0.0), loss, record.number or 0)
