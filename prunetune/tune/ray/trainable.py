"""The actor that runs trials, one after another, and reports each epoch to the driver."""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic_core import to_json
from ray import tune

from prunetune.records.record import TrialSpec
from prunetune.records.record_builder import TrialReport
from prunetune.records.store import Store
from prunetune.tune.faults import describe

FAULT = "fault"
"""Of a result: what the trial raised, as `faults.describe` says it."""


class RunTrial(Protocol):
    """What runs a trial: a generator of reports, the last of which has a status."""

    def __call__(
        self, spec: TrialSpec, store: Store, *, device: str, offline: bool
    ) -> Iterator[TrialReport]:
        """The reports of one trial, see `prunetune.trial.run_trial`."""


@dataclass(frozen=True)
class ActorSetup:
    """What an actor needs to run any trial of a sweep."""

    store: Store
    threads: int
    device: str
    offline: bool
    trial: RunTrial | None
    """None is `prunetune.trial.run_trial`, imported when the first trial runs."""


class TrialActor(tune.Trainable):  # type: ignore[misc]
    """Runs one trial at a time; reused, so that a trial costs no process start.

    Tune's checkpoints are not used: a trial that is run again finds its own by its key.
    """

    _reports: Iterator[TrialReport] | None = None
    _error: Exception | None = None

    def setup(self, config: dict[str, Any], work: ActorSetup) -> None:
        """Nothing heavy: torch comes with the first step, when the actor counts as started."""
        self.work = work
        os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(work.threads)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Make way for the next trial."""
        self.cleanup()
        return True

    def step(self) -> dict[str, Any]:
        """The trial's next report, as one opaque string that Tune does not look into.

        An exception is reported as data first and raised by the next step: Tune hands the driver
        an exception only as a pickle, and an actor that has raised is not used again.
        """
        if self._error is not None:
            raise self._error
        try:
            report = self._next_report()
            return {"report": to_json(report).decode(), "done": "status" in report}
        except Exception as error:
            self._error = error
            return {"report": "{}", FAULT: describe(error), "done": False}

    def _next_report(self) -> TrialReport:
        if self._reports is None:
            self._reports = self._start(TrialSpec.model_validate_json(self.config["spec"]))
        report = next(self._reports, None)
        if report is None:
            raise RuntimeError("the trial ended without a status")
        return report

    def cleanup(self) -> None:
        """Close the trial, ended or not."""
        reports, self._reports, self._error = self._reports, None, None
        if isinstance(reports, Generator):
            reports.close()

    def _start(self, spec: TrialSpec) -> Iterator[TrialReport]:
        work = self.work
        if work.trial is not None:
            return work.trial(spec, work.store, device=work.device, offline=work.offline)
        from prunetune.trial import run_trial

        return run_trial(spec, work.store, device=work.device, offline=work.offline)


def unpack(result: dict[str, Any]) -> TrialReport:
    """The report in a result of `TrialActor.step`."""
    report: TrialReport = json.loads(result["report"])
    return report
