"""Opens the MLflow experiment of a sweep, writes its saved views and reads its runs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain

from mlflow import MlflowClient
from mlflow.entities import Experiment
from mlflow.entities import Run as MlflowRun
from mlflow.exceptions import MlflowException

from prunetune.plan import Plan
from prunetune.tracking.layout import KEY, NOTE
from prunetune.tracking.owner import VIEWS, Owner
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
    params: set[str] = field(default_factory=set)
    """The names of its parameters."""
    has_data: bool = False
    """Whether its data set is logged."""
    steps: set[tuple[str, int]] | None = None
    """(metric, step) of every logged value; None until they are looked up."""


def open_experiment(
    client: MlflowClient, plan: Plan, owner: Owner, name: str, artifacts: str | None
) -> str:
    """The id of the experiment `name`; it is created or restored, and its views are updated."""
    existing = client.get_experiment_by_name(name)
    if existing is None:
        _create(client, name, artifacts, {VIEWS: owner.name})
    elif existing.lifecycle_stage == "deleted":
        client.restore_experiment(existing.experiment_id)
    experiment = client.get_experiment_by_name(name)
    for key, value in _tags(plan, owner, experiment).items():
        if experiment.tags.get(key) != value:
            client.set_experiment_tag(experiment.experiment_id, key, value)
    return str(experiment.experiment_id)


def _create(client: MlflowClient, name: str, artifacts: str | None, tags: dict[str, str]) -> None:
    """Create the experiment, unless another sweep has done so at the same time."""
    try:
        client.create_experiment(name, artifact_location=artifacts, tags=tags)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def read_runs(client: MlflowClient, experiment_id: str, owner: Owner) -> dict[str, TrackedRun]:
    """The owner's runs in an experiment by key.

    Of several runs with one key, the oldest is kept and the others are deleted: a server that was
    slow has made them, after the request was given up and sent again.
    """
    runs: dict[str, TrackedRun] = {}
    for run in _search(client, experiment_id, "" if owner.adopts else owner.condition):
        key = run.data.tags.get(KEY)
        if key is None or not owner.has(run.data.tags):
            continue
        if key in runs:
            client.delete_run(run.info.run_id)
        else:
            runs[key] = _tracked(run)
    return runs


def _search(client: MlflowClient, experiment_id: str, condition: str) -> Iterator[MlflowRun]:
    """The runs that meet a condition, the oldest first."""
    token: str | None = None
    pages = []
    while True:
        page = client.search_runs(
            [experiment_id],
            condition,
            max_results=_RUNS_PER_PAGE,
            order_by=["attributes.start_time ASC"],
            page_token=token,
        )
        pages.append(page)
        token = page.token
        if not token:  # all pages, before a run that is deleted shifts the next one
            return chain.from_iterable(pages)


def _tracked(run: MlflowRun) -> TrackedRun:
    is_open = run.info.status == "RUNNING"
    return TrackedRun(
        run.info.run_id,
        run.info.status,
        dict(run.data.tags),
        None if is_open else run.info.end_time,
        dict(run.data.metrics),
        set(run.data.params),
        has_data=bool(run.inputs and run.inputs.dataset_inputs),
    )


def _tags(plan: Plan, owner: Owner, experiment: Experiment) -> dict[str, str]:
    tags = {NOTE: plan.question, "mlflow.experimentKind": "custom_model_development"}
    suffix = owner.suffix(experiment.tags)
    if suffix:
        tags = {}  # the experiment's own words are its first owner's
    elif VIEWS not in experiment.tags:
        tags[VIEWS] = owner.name
    now = round(1000 * time.time())
    for view in saved_views(plan, owner, suffix):
        key = VIEW_TAG + view.key
        current = json.loads(experiment.tags.get(key, "{}"))
        same = (current.get("name"), current.get("state")) == (view.name, view.state())
        tags[key] = experiment.tags[key] if same else view.envelope(now)
    return tags
