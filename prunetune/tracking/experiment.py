"""The MLflow experiment of a sweep: found or made, its views written, its runs read."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field

from mlflow import MlflowClient
from mlflow.entities import Experiment
from mlflow.entities import Run as MlflowRun

from prunetune.plan import Plan
from prunetune.tracking.layout import KEY, NOTE, SWEEP
from prunetune.tracking.views import TAG, saved_views

PAGE = 1000


@dataclass
class Known:
    """What MLflow holds of a run."""

    run_id: str
    status: str
    tags: dict[str, str]
    ended: int | None = None
    """When, in milliseconds since 1970; None while it is open."""
    metrics: dict[str, float] = field(default_factory=dict)
    """The last value of each, as it was when the experiment was read."""
    described: bool = False
    """Whether its parameters and data set are known to be logged."""
    steps: set[tuple[str, int]] | None = None
    """(metric, step) of all that is logged; None until it is looked up."""


def open_experiment(client: MlflowClient, plan: Plan, name: str, artifacts: str | None) -> str:
    """The id of the experiment `name`, made or restored where need be, its views up to date."""
    found = client.get_experiment_by_name(name)
    if found is None:
        client.create_experiment(name, artifact_location=artifacts)
    elif found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    experiment = client.get_experiment_by_name(name)
    for key, value in _tags(plan, experiment).items():
        if experiment.tags.get(key) != value:
            client.set_experiment_tag(experiment.experiment_id, key, value)
    return str(experiment.experiment_id)


def read_runs(client: MlflowClient, experiment_id: str, sweep: str) -> dict[str, Known]:
    """The sweep's runs in the experiment by their key; of several with one key the oldest."""
    known: dict[str, Known] = {}
    token: str | None = None
    while True:
        page = client.search_runs(
            [experiment_id],
            max_results=PAGE,
            order_by=["attributes.start_time DESC"],
            page_token=token,
        )
        ours = [run for run in page if run.data.tags.get(SWEEP) == sweep]
        known.update((run.data.tags[KEY], _known(run)) for run in ours if KEY in run.data.tags)
        token = page.token
        if not token:
            return known


def _known(run: MlflowRun) -> Known:
    is_open = run.info.status == "RUNNING"
    return Known(
        run.info.run_id,
        run.info.status,
        dict(run.data.tags),
        None if is_open else run.info.end_time,
        dict(run.data.metrics),
        described=not is_open,  # an open one may have been cut short just there
    )


def _tags(plan: Plan, experiment: Experiment) -> dict[str, str]:
    tags = {NOTE: plan.question, "mlflow.experimentKind": "custom_model_development"}
    now = round(1000 * time.time())
    for view in saved_views(plan):
        key = TAG + view.key
        standing = json.loads(experiment.tags.get(key, "{}"))
        same = (standing.get("name"), standing.get("state")) == (view.name, view.state())
        tags[key] = experiment.tags[key] if same else view.envelope(now)
    return tags
