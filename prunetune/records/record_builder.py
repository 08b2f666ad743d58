"""A record put together from what a trial reports: facts once, one epoch after another, an end.

A worker may die and go on elsewhere, so a report may come twice and the curve so far may come at
once; epochs are told apart by their number.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from prunetune.records.record import Epoch, Record, Status, TrialSpec

COPIED = (
    "key", "sweep", "phase", "study", "arm", "method", "budget", "matching", "replicate", "number",
    "seed", "config", "inputs", "dense_macs", "target_macs", "dense_params",
)  # fmt: skip


def now() -> str:
    """The present moment, ISO 8601 in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class RecordBuilder:
    """Collects the reports of one trial; `record(status)` closes it."""

    def __init__(self, spec: TrialSpec) -> None:
        self.spec = spec
        self._facts: dict[str, Any] = {}
        self._curve: dict[int, Epoch] = {}
        self._started_at = now()

    @property
    def curve(self) -> tuple[Epoch, ...]:
        """The epochs reported so far, in order."""
        return tuple(self._curve[epoch] for epoch in sorted(self._curve))

    def add(self, report: dict[str, Any]) -> None:
        """Take a report: any fields of Record by name, and `curve`, a list of epochs."""
        for item in report.get("curve", ()):
            epoch = item if isinstance(item, Epoch) else Epoch.model_validate(item)
            self._curve[epoch.epoch] = epoch
        fields = {k: v for k, v in report.items() if k in Record.model_fields and k != "curve"}
        self._facts.update(fields)

    def record(self, status: Status | None = None, error: str | None = None) -> Record:
        """The record, its status as given or as the trial itself reported it."""
        curve = self.curve
        last = curve[-1] if curve else None
        derived = {
            "epochs": len(curve),
            "val_acc1": last.val_acc1 if last else None,
            "val_loss": last.val_loss if last else None,
            "val_acc1_best": max((e.val_acc1 for e in curve), default=None),
            "started_at": self._started_at,
        }
        fields = {
            **{name: getattr(self.spec, name) for name in COPIED},
            "epochs_planned": self.spec.epochs,
            **derived,
            **self._facts,
            "curve": curve,
            "ended_at": now(),
        }
        if status is not None:
            fields["status"] = status
        if error is not None:
            fields["error"] = error
        return Record.model_validate(fields)
