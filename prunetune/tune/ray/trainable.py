"""The actor that runs trials, one after another, and reports each epoch to the driver."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic_core import to_json
from ray import get_runtime_context, is_initialized, tune
from ray._raylet import setproctitle  # type: ignore[attr-defined]

from prunetune.messages import passed_to
from prunetune.protocols import Pulse
from prunetune.records.record import TrialSpec
from prunetune.records.record_builder import TrialReport
from prunetune.records.store import Store
from prunetune.registry import make_importable
from prunetune.tune.faults import describe
from prunetune.tune.ray.leaving import NODE
from prunetune.tune.watchdog import Watchdog

FAULT = "fault"
"""Key of a result: the exception of the trial, as `faults.describe` puts it."""


SAID = "said"
"""Key of a result: the messages of the step, as JSON; the driver's process shows them."""


GPU_BYTES = "gpu_bytes"
"""Key of a result: the memory of the GPU that the trial uses."""


class RunTrial(Protocol):
    """Runs a trial: a generator of reports, the last of which has a status."""

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
    """None stands for `prunetune.trial.run_trial`, imported with the first trial."""
    plugin_folders: tuple[str, ...] = ()
    """Where the driver found the sweep's plug-in modules."""


class TrialActor(tune.Trainable):  # type: ignore[misc]
    """Runs one trial after another, so that a trial costs no process start.

    Tune's checkpoints are not used: a trial that runs again finds its own checkpoint by its key.
    """

    _reports: Iterator[TrialReport] | None = None
    _error: Exception | None = None
    _watchdog: Watchdog | None = None
    _title = "trial"

    def setup(self, config: dict[str, Any], setup: ActorSetup) -> None:
        """Keep the setup; only the first step imports torch, so that the actor starts fast."""
        self._setup = setup
        os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(setup.threads)
        if setup.device == "cpu":  # Ray would let a process without a share see every GPU
            os.environ["CUDA_VISIBLE_DEVICES"] = ""

    def __repr__(self) -> str:
        """The name of all tasks of this actor in Ray's dashboard, whichever trial they are of."""
        return f"trials of {self._setup.store.sweep}"

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """End this trial, so that the actor can take the next one."""
        self.cleanup()
        return True

    def step(self) -> dict[str, Any]:
        """The trial's next report, as one opaque string that Tune does not look into.

        An exception is reported as data first and raised by the next step: Tune hands the driver
        an exception only as a pickle, and an actor that has raised is not used again.
        """
        if self._error is not None:
            raise self._error
        setproctitle(f"prunetune {self._title}")  # Ray sets its own around each step
        said: list[tuple[int, str]] = []
        with passed_to(lambda level, text: said.append((level, text))):
            try:
                report = self._next_report()
                result = {"report": to_json(report).decode(), "done": "status" in report}
            except Exception as error:
                self._error = error
                result = {"report": "{}", FAULT: describe(error), "done": False}
        return result | {SAID: json.dumps(said), NODE: _node(), GPU_BYTES: _gpu_bytes()}

    def _next_report(self) -> TrialReport:
        if self._reports is None:
            spec = self._setup.store.trial(self.config["key"])
            self._watchdog = Watchdog(self._setup.store.trial_folder(spec.key).hang)
            self._reports = self._start(spec, self._watchdog)
        assert self._watchdog is not None
        with self._watchdog.watching():
            report = next(self._reports, None)
        if report is None:
            raise RuntimeError("the trial ended without a status")
        return report

    def cleanup(self) -> None:
        """Close the trial, ended or not."""
        reports, self._reports, self._error = self._reports, None, None
        if isinstance(reports, Generator):
            reports.close()
        if self._watchdog is not None:
            self._watchdog.close()
            self._watchdog = None

    def _start(self, spec: TrialSpec, pulse: Pulse) -> Iterator[TrialReport]:
        setup = self._setup
        self._title = trial_title(spec)
        make_importable(setup.plugin_folders)
        if setup.trial is not None:
            return setup.trial(spec, setup.store, device=setup.device, offline=setup.offline)
        from prunetune.trial import run_trial

        return run_trial(spec, setup.store, device=setup.device, offline=setup.offline, pulse=pulse)


def _gpu_bytes() -> int | None:
    """The memory of the GPU that this process uses; None if it has used none."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return None
    return int(torch.cuda.get_device_properties(0).total_memory)


def _node() -> str | None:
    """The node on which this process runs; None outside of Ray."""
    return get_runtime_context().get_node_id() if is_initialized() else None


def trial_title(spec: TrialSpec) -> str:
    """A trial as a person knows it: its study, what it is for, and its key."""
    number = f"#{spec.number}" if spec.phase == "search" else f"seed {spec.seed}"
    return " ".join([*([spec.study] if spec.study else []), spec.phase, number, spec.key])


def unpack(result: dict[str, Any]) -> TrialReport:
    """The report in a result of `TrialActor.step`."""
    report: TrialReport = json.loads(result["report"])
    return report


def words(result: dict[str, Any]) -> list[tuple[int, str]]:
    """The messages in a result of `TrialActor.step`, each with its level."""
    return [(level, text) for level, text in json.loads(result.get(SAID, "[]"))]
