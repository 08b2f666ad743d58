"""Writes a sweep's runs into one MLflow experiment; every call may be repeated without effect.

A Writer reads once what the experiment holds and writes what is missing. A run is created in one
request with its key, so what was cut short is found again and completed. For one thread; any call
may raise what MLflow raises, and the Writer is to be thrown away then.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag

from prunetune.config.parts import Named
from prunetune.plan import Plan
from prunetune.records.architecture import Architecture
from prunetune.records.record import Epoch, Record, TrialSpec
from prunetune.tracking import layout
from prunetune.tracking.experiment import TrackedRun, open_experiment, read_runs
from prunetune.tracking.layout import NOTE, RUNNING, STATUS, MetricPoint, Run, StudyResult
from prunetune.tracking.models import log_winner

METRICS_PER_CALL = 798  # MLflow takes 1000 things a call; whole epochs of three
PARAMS_PER_CALL = 100
DIGEST_CHARACTERS = 36
ERROR_CHARACTERS = 2000

PARENT = "mlflow.parentRunId"

T = TypeVar("T")


class Writer:
    """The runs of one sweep in one experiment; made only when the server answers."""

    def __init__(self, plan: Plan, uri: str, experiment: str, artifacts: str | None) -> None:
        self._plan = plan
        self._client = MlflowClient(uri)
        self._experiment_id = open_experiment(self._client, plan, experiment, artifacts)
        self._known = read_runs(self._client, self._experiment_id, plan.sweep)
        self._parents = {run.key: run for run in layout.parent_runs(plan)}
        for run in self._parents.values():
            self._log(self._stand(run), run)

    def trial(self, spec: TrialSpec, epochs: Sequence[tuple[Epoch, int]]) -> None:
        """A trial under way and its new epochs, each with its moment in milliseconds."""
        run = layout.trial_run(self._plan, spec)
        known = self._known.get(run.key)
        if known and known.tags.get(STATUS) != RUNNING:
            self._discard(run.key)  # it had ended, in failure, and is tried again
        known = self._stand(run)
        if known.status != "RUNNING":  # an earlier process left it off
            self._client.update_run(known.run_id, status="RUNNING")
            known.status, known.ended = "RUNNING", None
        points = [p for epoch, at in epochs for p in layout.curve_points(epoch, at)]
        self._log(known, run, points, {STATUS: RUNNING})

    def record(self, record: Record) -> None:
        """A finished trial, whole."""
        run, status = layout.trial_run(self._plan, record), layout.run_status(record.status)
        ended = layout.milliseconds(record.ended_at)
        known = self._known.get(run.key)
        if known and known.tags.get(STATUS) == record.status and known.ended == ended:
            self._log(known, run)  # whole; tags may have changed with the plan
            return
        if known and self._of_another_attempt(known, record):
            self._discard(run.key)
        known = self._stand(run, layout.milliseconds(record.started_at))
        note = {NOTE: record.error[:ERROR_CHARACTERS]} if record.error else {}
        self._log(known, run, layout.record_points(record), {STATUS: record.status, **note})
        self._end(known, status, ended)

    def study(self, study_id: str, result: StudyResult) -> None:
        """What fresh seeds say of a study's winner; a value that stands is not written again."""
        known = self._known[study_id]
        new = {
            name: value
            for name, value in result.metrics(self._plan.dense.macs).items()
            if known.metrics.get(name) != value
        }
        if new:
            at = round(1000 * time.time())
            metrics = [Metric(name, value, at, 0) for name, value in new.items()]
            self._client.log_batch(known.run_id, metrics=metrics)
            known.metrics |= new

    def report(self, folder: Path) -> None:
        """The files of `folder` as artifacts of the run `report`, replacing those that stand."""
        run = layout.report_run(self._plan)
        known = self._stand(run)
        self._log(known, run)
        self._client.log_artifacts(known.run_id, str(folder))
        self._end(known, "FINISHED")

    def winner(self, record: Record, model: Any, example: np.ndarray[Any, Any]) -> None:
        """A winner's network as a logged model of its trial."""
        self.record(record)
        run_id = self._known[record.key].run_id
        classes = Architecture.model_validate(self._plan.dense.architecture).classes
        log_winner(self._client, self._experiment_id, run_id, record, model, example, classes)

    def leave(self) -> None:
        """End the runs that are open: parents are finished, trials were broken off."""
        for known in self._known.values():
            if known.status == "RUNNING":
                trial = known.tags.get(layout.KIND) == "trial"
                self._end(known, "KILLED" if trial else "FINISHED")

    def _stand(self, run: Run, start: int | None = None) -> TrackedRun:
        """The run as it stands in MLflow, found by its key or created with all its tags."""
        if run.key not in self._known:
            tags = self._tags(run) | ({STATUS: RUNNING} if run.parent else {})
            created = self._client.create_run(
                self._experiment_id, start_time=start, tags=tags, run_name=run.name
            )
            self._known[run.key] = TrackedRun(created.info.run_id, "RUNNING", tags, steps=set())
        return self._known[run.key]

    def _tags(self, run: Run) -> dict[str, str]:
        parent = {PARENT: self._known[run.parent].run_id} if run.parent else {}
        return {**run.tags, **parent}

    def _data_set(self) -> DatasetInput:
        named = Named.model_validate(self._plan.workload["dataset"])
        source = json.dumps({"digest": self._plan.data_key, "params": named.params})
        digest = self._plan.data_key[:DIGEST_CHARACTERS]
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
        known: TrackedRun,
        run: Run,
        points: Sequence[MetricPoint] = (),
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Log what the run lacks: points of new steps, tags that differ, and its parameters."""
        wanted = {**self._tags(run), **(tags or {})}
        new_tags = {key: value for key, value in wanted.items() if known.tags.get(key) != value}
        new_points = self._missing(known, points)
        params = {} if known.described else run.params
        calls = zip_longest(
            _slices([Metric(p.name, p.value, p.at, p.step) for p in new_points], METRICS_PER_CALL),
            _slices([Param(k, v) for k, v in params.items()], PARAMS_PER_CALL),
            _slices([RunTag(k, v) for k, v in new_tags.items()], PARAMS_PER_CALL),
            fillvalue=(),
        )
        for metrics, some_params, some_tags in calls:
            self._client.log_batch(known.run_id, metrics, some_params, some_tags)
        if run.parent and not known.described:
            self._client.log_inputs(known.run_id, [self._data_set()])
        known.described = True
        known.tags.update(new_tags)
        if known.steps is not None:
            known.steps.update((p.name, p.step) for p in new_points)

    def _missing(self, known: TrackedRun, points: Sequence[MetricPoint]) -> list[MetricPoint]:
        """The points whose metric has nothing at that step yet, one a step."""
        if points and known.steps is None:
            known.steps = {
                (name, metric.step)
                for name in known.metrics
                for metric in self._client.get_metric_history(known.run_id, name)
            }
        by_step = {(p.name, p.step): p for p in points}  # a resumed trial tells its past again
        return [p for step, p in by_step.items() if step not in (known.steps or ())]

    def _end(self, known: TrackedRun, status: str, at: int | None = None) -> None:
        if known.status != status:
            self._client.set_terminated(known.run_id, status, at)
            known.status, known.ended = status, at

    @staticmethod
    def _of_another_attempt(known: TrackedRun, record: Record) -> bool:
        """Whether the run ended before, otherwise than `record` (not: was broken off)."""
        status = known.tags.get(STATUS)
        return status != RUNNING and (status != record.status or known.ended is not None)

    def _discard(self, key: str) -> None:
        self._client.delete_run(self._known.pop(key).run_id)


def _slices(items: Sequence[T], size: int) -> list[Sequence[T]]:
    return [items[i : i + size] for i in range(0, len(items), size)]
