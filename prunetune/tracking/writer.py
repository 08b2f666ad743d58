"""Writes a sweep's runs into one MLflow experiment; every call may be repeated without effect.

A Writer reads once what the experiment holds and writes what is missing. A run is created in one
request with its key, so what was cut short is found again and completed. For one thread; any call
may raise what MLflow raises, and the Writer is to be thrown away then.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag

from prunetune.records.architecture import Architecture
from prunetune.records.record import Epoch, Record, TrialSpec
from prunetune.spec.parts import Named
from prunetune.spec.plan import Plan
from prunetune.tracking import layout
from prunetune.tracking.experiment import Known, open_experiment, read_runs
from prunetune.tracking.layout import NOTE, RUNNING, STATUS, Point, Run, StudyResult
from prunetune.tracking.winners import log_winner

METRICS_PER_CALL = 999  # MLflow takes 1000; whole epochs of three
PARAMS_PER_CALL = 100
DIGEST_CHARACTERS = 36
ERROR_CHARACTERS = 2000

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
            self._stand(run)

    def trial(self, spec: TrialSpec, epochs: Sequence[tuple[Epoch, int]]) -> None:
        """A trial under way and its new epochs, each with its moment in milliseconds."""
        run = layout.trial_run(self._plan, spec)
        known = self._known.get(run.key)
        if known and known.tags.get(STATUS) != RUNNING:
            self._discard(run.key)  # it had ended, in failure, and is tried again
        known = self._stand(run, {STATUS: RUNNING})
        if known.status != "RUNNING":  # an earlier process left it off
            self._client.update_run(known.run_id, status="RUNNING")
            known.status = "RUNNING"
        self._log(known, [p for epoch, at in epochs for p in layout.curve_points(epoch, at)])

    def record(self, record: Record) -> None:
        """A finished trial, whole."""
        run, end = layout.trial_run(self._plan, record), layout.run_status(record.status)
        known = self._known.get(run.key)
        if known and known.tags.get(STATUS) not in (RUNNING, record.status):
            self._discard(run.key)  # of an earlier, failed attempt
        elif known and known.tags.get(STATUS) == record.status and known.status == end:
            self._tag(known, run.tags)
            return
        known = self._stand(run, {STATUS: RUNNING}, layout.milliseconds(record.started_at))
        note = {NOTE: record.error[:ERROR_CHARACTERS]} if record.error else {}
        self._log(known, layout.record_points(record))
        self._tag(known, {**note, STATUS: record.status})
        self._end(known, end, layout.milliseconds(record.ended_at))

    def study(self, study_id: str, result: StudyResult) -> None:
        """What fresh seeds say of a study's winner; a value that stands is not written again."""
        known = self._stand(self._parents[study_id])
        new = {
            name: value
            for name, value in result.metrics(self._plan.dense.macs).items()
            if known.metrics.get(name) != value
        }
        at = round(1000 * time.time())
        if new:
            self._client.log_batch(
                known.run_id, metrics=[Metric(k, v, at, 0) for k, v in new.items()]
            )
            known.metrics |= new

    def report(self, folder: Path) -> None:
        """The files of `folder` as artifacts of the run `report`, replacing those that stand."""
        known = self._stand(layout.report_run(self._plan))
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

    def _stand(
        self, run: Run, extra: Mapping[str, str] | None = None, start: int | None = None
    ) -> Known:
        """The run as it stands in MLflow: found by its key, or created; described once."""
        known = self._known.get(run.key)
        tags = run.tags if run.parent is None else {**run.tags, **self._child_of(run.parent)}
        if known is None:
            tags = {**tags, **(extra or {})}
            created = self._client.create_run(
                self._experiment_id, start_time=start, tags=tags, run_name=run.name
            )
            known = Known(created.info.run_id, "RUNNING", tags, steps=set())
            self._known[run.key] = known
        self._tag(known, tags)
        if not known.described:
            for params in _slices(list(run.params.items()), PARAMS_PER_CALL):
                self._client.log_batch(known.run_id, params=[Param(k, v) for k, v in params])
            if run.key != layout.REPORT_KEY:
                self._client.log_inputs(known.run_id, [self._data_set()])
            known.described = True
        return known

    def _child_of(self, parent: str) -> dict[str, str]:
        return {"mlflow.parentRunId": self._stand(self._parents[parent]).run_id}

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

    def _log(self, known: Known, points: Sequence[Point]) -> None:
        """Log the points whose metric has nothing at that step yet."""
        if known.steps is None:
            known.steps = {
                (name, metric.step)
                for name in known.metrics
                for metric in self._client.get_metric_history(known.run_id, name)
            }
        new = [p for p in points if (p.name, p.step) not in known.steps]
        for some in _slices(new, METRICS_PER_CALL):
            metrics = [Metric(p.name, p.value, p.at, p.step) for p in some]
            self._client.log_batch(known.run_id, metrics=metrics)
            known.steps.update((p.name, p.step) for p in some)

    def _tag(self, known: Known, tags: Mapping[str, str]) -> None:
        new = {key: value for key, value in tags.items() if known.tags.get(key) != value}
        if new:
            self._client.log_batch(known.run_id, tags=[RunTag(k, v) for k, v in new.items()])
            known.tags.update(new)

    def _end(self, known: Known, status: str, at: int | None = None) -> None:
        if known.status != status:
            self._client.set_terminated(known.run_id, status, at)
            known.status = status

    def _discard(self, key: str) -> None:
        self._client.delete_run(self._known.pop(key).run_id)


def _slices(items: Sequence[T], size: int) -> list[Sequence[T]]:
    return [items[i : i + size] for i in range(0, len(items), size)]
