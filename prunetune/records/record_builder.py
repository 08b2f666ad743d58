"""Builds a record from what a trial reports: facts, then one epoch after another, then its end.

A worker may die, and the trial goes on elsewhere. So a report may come twice, and the curve so far
may come at once; epochs are told apart by their number.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from prunetune.records.record import Epoch, Record, Status, TrialIdentity, TrialSpec, epoch_of

TrialReport = dict[str, Any]
"""One report of a running trial: fields of `Record` by name. `curve` is a list of epochs, and only
the last report has `status`."""


def now() -> str:
    """The present moment, ISO 8601 in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class RecordBuilder:
    """Collects the reports of one trial; `record()` gives its record."""

    def __init__(self, spec: TrialSpec) -> None:
        self.spec = spec
        self._facts: dict[str, Any] = {}
        self._curve: dict[int, Epoch] = {}
        self._started_at = now()

    @property
    def curve(self) -> tuple[Epoch, ...]:
        """The epochs reported so far, in order."""
        return tuple(self._curve[epoch] for epoch in sorted(self._curve))

    @property
    def accuracies(self) -> tuple[float, ...]:
        """Validation accuracy after each of these epochs."""
        return tuple(epoch.val_acc1 for epoch in self.curve)

    def add(self, report: TrialReport) -> None:
        """Take a report; values replace those of former reports, epochs those of their number."""
        for item in report.get("curve", ()):
            epoch = item if isinstance(item, Epoch) else epoch_of(item)
            self._curve[epoch.epoch] = epoch
        fields = {k: v for k, v in report.items() if k in Record.model_fields and k != "curve"}
        self._facts.update(fields)

    def record(self, status: Status | None = None, error: str | None = None) -> Record:
        """The record; `status` and `error` replace those that the trial reported."""
        fields = {
            **_facts_of_spec(self.spec),
            **_facts_of_curve(self.curve),
            "started_at": self._started_at,
            **self._facts,
            "curve": self.curve,
            "ended_at": now(),
        }
        if status is not None:
            fields["status"] = status
        if error is not None:
            fields["error"] = error
        return Record.model_validate(fields)


def _facts_of_spec(spec: TrialSpec) -> dict[str, Any]:
    """What a record says that was known before the trial ran."""
    shared = TrialIdentity.model_fields.keys() - {"schema_"}
    return {
        **{name: getattr(spec, name) for name in shared},
        "config": spec.config,
        "inputs": spec.inputs,
        "dense_macs": spec.dense_macs,
        "target_macs": spec.target_macs,
        "dense_params": spec.dense_params,
        "epochs_planned": spec.epochs,
    }


def _facts_of_curve(curve: tuple[Epoch, ...]) -> dict[str, Any]:
    """What follows from the epochs, unless the trial reports otherwise."""
    last = curve[-1] if curve else None
    return {
        "epochs": len(curve),
        "val_acc1": last.val_acc1 if last else None,
        "val_loss": last.val_loss if last else None,
        "val_acc1_best": max((e.val_acc1 for e in curve), default=None),
    }
