"""Writes a sweep's runs into one MLflow experiment; a repeated call changes nothing.

A Writer reads the experiment once and then writes what it lacks. A run is created together with its
key in one request, so a run that was cut short is found again and completed. A Writer serves one
thread. Any call may raise MLflow's exceptions; the Writer must be thrown away then.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence, Set
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag

from prunetune.config.parts import Named
from prunetune.plan import Plan
from prunetune.records.architecture import Architecture
from prunetune.records.record import Epoch, Record, TrialSpec
from prunetune.tracking import layout
from prunetune.tracking.experiment import TrackedRun, open_experiment, read_runs
from prunetune.tracking.layout import NOTE, RUNNING, STATUS, MetricPoint, Run, StudyResult
from prunetune.tracking.lines import Line
from prunetune.tracking.models import LoadNetwork, log_winner, register_winner
from prunetune.tracking.owner import Owner

_METRICS_PER_CALL = 798
"""MLflow takes 1000 entities a call; 798 metrics are 266 whole epochs of three metrics."""
_PARAMS_PER_CALL = 100
_DIGEST_CHARACTERS = 36
_ERROR_CHARACTERS = 2000

_PARENT = "mlflow.parentRunId"

T = TypeVar("T")


class Writer:
    """Writes the runs of one sweep into one experiment. Making one needs a server that answers."""

    def __init__(
        self, plan: Plan, owner: Owner, uri: str, experiment: str, artifacts: str | None
    ) -> None:
        self._plan, self._owner = plan, owner
        self._client = MlflowClient(uri)
        self._experiment_id = open_experiment(self._client, plan, owner, experiment, artifacts)
        self._runs = read_runs(self._client, self._experiment_id, owner)
        self._parents = {run.key: run for run in layout.parent_runs(plan)}
        for run in self._parents.values():
            self._log(self._ensure(run), run)

    def trial(self, spec: TrialSpec, epochs: Sequence[tuple[Epoch, int]]) -> None:
        """Write a running trial and its new epochs, each with its time in ms since 1970."""
        run = layout.trial_run(self._plan, spec)
        tracked = self._runs.get(run.key)
        if tracked and tracked.tags.get(STATUS) != RUNNING:
            self._discard(run.key)  # it had failed and is tried again
        tracked = self._ensure(run)
        if tracked.status != "RUNNING":  # an earlier process left it unfinished
            self._client.update_run(tracked.run_id, status="RUNNING")
            tracked.status, tracked.ended = "RUNNING", None
        points = [p for epoch, at in epochs for p in layout.curve_points(epoch, at)]
        self._log(tracked, run, points, {STATUS: RUNNING})

    def record(self, record: Record) -> None:
        """Write a finished trial as a whole."""
        run, status = layout.trial_run(self._plan, record), layout.run_status(record.status)
        ended = layout.milliseconds(record.ended_at)
        tracked = self._runs.get(run.key)
        if tracked and tracked.tags.get(STATUS) == record.status and tracked.ended == ended:
            self._log(tracked, run)  # complete; only tags may have changed with the plan
            return
        if tracked and self._of_another_attempt(tracked, record):
            self._discard(run.key)
        tracked = self._ensure(run, layout.milliseconds(record.started_at))
        note = {NOTE: record.error[:_ERROR_CHARACTERS]} if record.error else {}
        self._log(tracked, run, layout.record_points(record), {STATUS: record.status, **note})
        self._end(tracked, status, ended)

    def study(self, study_id: str, result: StudyResult) -> None:
        """Write the result of a study's winner on fresh seeds; unchanged values are not sent."""
        tracked = self._runs[study_id]
        new = {
            name: value
            for name, value in result.metrics(self._plan.dense.macs).items()
            if tracked.metrics.get(name) != value
        }
        if new:
            at = round(1000 * time.time())
            metrics = [Metric(name, value, at, 0) for name, value in new.items()]
            self._client.log_batch(tracked.run_id, metrics=metrics)
            tracked.metrics |= new

    def line(self, line: Line) -> None:
        """Write a line, anew where a point that was written before is not on it any more."""
        tracked = self._runs.get(line.run.key)
        points = {(p.name, p.step): p.value for p in line.points}
        if tracked and not self._points(tracked).items() <= points.items():
            self._discard(line.run.key)
        tracked = self._ensure(line.run)
        self._log(tracked, line.run, line.points)
        self._end(tracked, "FINISHED")

    def report(
        self, folder: Path, files: Mapping[str, bytes], surroundings: Mapping[str, str]
    ) -> None:
        """Upload files as artifacts of the run `report`, replacing earlier ones.

        Args:
            folder: its files are uploaded.
            files: further ones, by name.
            surroundings: facts for the run's tags.
        """
        run = layout.report_run(self._plan, surroundings)
        tracked = self._ensure(run)
        self._log(tracked, run)
        if folder.is_dir():
            self._client.log_artifacts(tracked.run_id, str(folder))
        with TemporaryDirectory() as scratch:
            for name, content in files.items():
                (Path(scratch) / name).write_bytes(content)
            self._client.log_artifacts(tracked.run_id, scratch)
        self._end(tracked, "FINISHED")

    def winner(self, record: Record, load: LoadNetwork) -> None:
        """Log a winner's network as a model of its trial's run, and register it on request."""
        self.record(record)
        run_id = self._runs[record.key].run_id
        classes = Architecture.model_validate(self._plan.dense.architecture).classes
        model_id = log_winner(
            self._client, self._experiment_id, run_id, self._owner, record, load, classes
        )
        if self._plan.tracking.get("register_models"):
            register_winner(self._client, run_id, self._owner, record, model_id)

    def leave(self) -> None:
        """End the runs that are open: parents are finished, trials were cut short."""
        for tracked in self._runs.values():
            if tracked.status == "RUNNING":
                trial = tracked.tags.get(layout.KIND) == "trial"
                self._end(tracked, "KILLED" if trial else "FINISHED")

    def unlike(self, keys: Set[str]) -> tuple[set[str], set[str]]:
        """What MLflow holds otherwise than it should: missing trials of `keys`, and open runs."""
        runs = read_runs(self._client, self._experiment_id, self._owner)
        return set(keys - runs.keys()), {k for k, run in runs.items() if run.status == "RUNNING"}

    def _ensure(self, run: Run, start: int | None = None) -> TrackedRun:
        """The run in MLflow: the one with its key, else a new one with all its tags."""
        if run.key not in self._runs:
            tags = self._tags(run) | ({STATUS: RUNNING} if run.parent else {})
            created = self._client.create_run(
                self._experiment_id, start_time=start, tags=tags, run_name=run.name
            )
            self._runs[run.key] = TrackedRun(created.info.run_id, "RUNNING", tags, steps=set())
        return self._runs[run.key]

    def _tags(self, run: Run) -> dict[str, str]:
        parent = {_PARENT: self._runs[run.parent].run_id} if run.parent else {}
        return {**run.tags, **self._owner.tags, **parent}

    def _data_set(self) -> DatasetInput:
        named = Named.model_validate(self._plan.workload["dataset"])
        source = json.dumps({"digest": self._plan.data_key, "params": named.params})
        digest = self._plan.data_key[:_DIGEST_CHARACTERS]
        profile = {
            f"{part}_images": getattr(self._plan, f"{part}_size")
            for part in ("train", "val", "test")
        }
        return DatasetInput(
            Dataset(named.name, digest, "prunetune", source, profile=json.dumps(profile)),
            [InputTag("mlflow.data.context", "training")],
        )

    def _log(
        self,
        tracked: TrackedRun,
        run: Run,
        points: Sequence[MetricPoint] = (),
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Log what the run lacks: points at new steps, changed tags, parameters and data set."""
        wanted = {**self._tags(run), **(tags or {})}
        new_tags = {key: value for key, value in wanted.items() if tracked.tags.get(key) != value}
        new_points = self._missing(tracked, points)
        params = {name: v for name, v in run.params.items() if name not in tracked.params}
        calls = zip_longest(
            _slices([Metric(p.name, p.value, p.at, p.step) for p in new_points], _METRICS_PER_CALL),
            _slices([Param(k, v) for k, v in params.items()], _PARAMS_PER_CALL),
            _slices([RunTag(k, v) for k, v in new_tags.items()], _PARAMS_PER_CALL),
            fillvalue=(),
        )
        for metrics, param_slice, tag_slice in calls:
            self._client.log_batch(tracked.run_id, metrics, param_slice, tag_slice)
        if run.parent and run.params and not tracked.has_data:
            self._client.log_inputs(tracked.run_id, [self._data_set()])
            tracked.has_data = True
        tracked.params |= params.keys()
        tracked.tags.update(new_tags)
        if tracked.steps is not None:
            tracked.steps.update((p.name, p.step) for p in new_points)

    def _missing(self, tracked: TrackedRun, points: Sequence[MetricPoint]) -> list[MetricPoint]:
        """The points at steps where their metric has no value yet, one for each step."""
        if points and tracked.steps is None:
            tracked.steps = set(self._points(tracked))
        # A resumed trial reports its past epochs again, so a step may come twice.
        by_step = {(p.name, p.step): p for p in points}
        return [p for step, p in by_step.items() if step not in (tracked.steps or ())]

    def _points(self, tracked: TrackedRun) -> dict[tuple[str, int], float]:
        """(metric, step) -> value, of all that a run held when it was read."""
        return {
            (name, metric.step): metric.value
            for name in tracked.metrics
            for metric in self._client.get_metric_history(tracked.run_id, name)
        }

    def _end(self, tracked: TrackedRun, status: str, at: int | None = None) -> None:
        if tracked.status != status:
            self._client.set_terminated(tracked.run_id, status, at)
            tracked.status, tracked.ended = status, at

    @staticmethod
    def _of_another_attempt(tracked: TrackedRun, record: Record) -> bool:
        """Whether the run belongs to an earlier attempt that ended; a run cut short does not."""
        status = tracked.tags.get(STATUS)
        return status != RUNNING and (status != record.status or tracked.ended is not None)

    def _discard(self, key: str) -> None:
        self._client.delete_run(self._runs.pop(key).run_id)


def _slices(items: Sequence[T], size: int) -> list[Sequence[T]]:
    return [items[i : i + size] for i in range(0, len(items), size)]
