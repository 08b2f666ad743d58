"""Opens the MLflow experiment of a sweep, writes its saved views and reads its runs."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field

from mlflow import MlflowClient
from mlflow.entities import Experiment
from mlflow.entities import Run as MlflowRun

from prunetune.plan import Plan
from prunetune.tracking.layout import KEY, NOTE, SWEEP
from prunetune.tracking.views import VIEW_TAG, saved_views

_RUNS_PER_PAGE = 1000


@dataclass
class TrackedRun:
    """A run as MLflow holds it."""

    run_id: str
    status: str
    tags: dict[str, str]
    ended: int | None = None
    """The end in milliseconds since 1970; None while the run is open."""
    metrics: dict[str, float] = field(default_factory=dict)
    """The last value of each metric when the experiment was read."""
    described: bool = False
    """Whether its parameters and its data set are logged for certain."""
    steps: set[tuple[str, int]] | None = None
    """(metric, step) of every logged value; None until they are looked up."""


def open_experiment(client: MlflowClient, plan: Plan, name: str, artifacts: str | None) -> str:
    """The id of the experiment `name`; it is created or restored, and its views are updated."""
    existing = client.get_experiment_by_name(name)
    if existing is None:
        client.create_experiment(name, artifact_location=artifacts)
    elif existing.lifecycle_stage == "deleted":
        client.restore_experiment(existing.experiment_id)
    experiment = client.get_experiment_by_name(name)
    for key, value in _tags(plan, experiment).items():
        if experiment.tags.get(key) != value:
            client.set_experiment_tag(experiment.experiment_id, key, value)
    return str(experiment.experiment_id)


def read_runs(client: MlflowClient, experiment_id: str, sweep: str) -> dict[str, TrackedRun]:
    """The sweep's runs in an experiment by key; of several runs with one key, the oldest."""
    runs: dict[str, TrackedRun] = {}
    token: str | None = None
    while True:
        page = client.search_runs(
            [experiment_id],
            max_results=_RUNS_PER_PAGE,
            order_by=["attributes.start_time DESC"],
            page_token=token,
        )
        ours = [run for run in page if run.data.tags.get(SWEEP) == sweep]
        runs.update((run.data.tags[KEY], _tracked(run)) for run in ours if KEY in run.data.tags)
        token = page.token
        if not token:
            return runs


def _tracked(run: MlflowRun) -> TrackedRun:
    is_open = run.info.status == "RUNNING"
    return TrackedRun(
        run.info.run_id,
        run.info.status,
        dict(run.data.tags),
        None if is_open else run.info.end_time,
        dict(run.data.metrics),
        described=not is_open,  # the writer of an open run may have died before it described it
    )


def _tags(plan: Plan, experiment: Experiment) -> dict[str, str]:
    tags = {NOTE: plan.question, "mlflow.experimentKind": "custom_model_development"}
    now = round(1000 * time.time())
    for view in saved_views(plan):
        key = VIEW_TAG + view.key
        current = json.loads(experiment.tags.get(key, "{}"))
        same = (current.get("name"), current.get("state")) == (view.name, view.state())
        tags[key] = experiment.tags[key] if same else view.envelope(now)
    return tags
