"""All that MLflow holds of an experiment, in a form that can be compared."""

from __future__ import annotations

from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Run


def runs(client: MlflowClient, experiment: str) -> list[Run]:
    found = client.get_experiment_by_name(experiment)
    return list(client.search_runs([found.experiment_id], max_results=5000))


def by_key(client: MlflowClient, experiment: str) -> dict[str, Run]:
    found = runs(client, experiment)
    keyed = {run.data.tags["prunetune.key"]: run for run in found}
    assert len(keyed) == len(found), "two runs of one key"
    return keyed


def curves(client: MlflowClient, run: Run) -> dict[str, list[tuple[int, float]]]:
    """Metric -> (step, value) of everything ever logged, in order of the steps."""
    return {
        name: sorted((m.step, m.value) for m in client.get_metric_history(run.info.run_id, name))
        for name in run.data.metrics
    }


def dump(client: MlflowClient, experiment: str) -> dict[str, Any]:
    """Key -> everything about a run that does not depend on when it was written, or as what id."""
    keyed = by_key(client, experiment)
    keys = {run.info.run_id: key for key, run in keyed.items()}
    return {key: _run(client, run, keys) for key, run in keyed.items()}


def _run(client: MlflowClient, run: Run, keys: dict[str, str]) -> dict[str, Any]:
    tags = dict(run.data.tags)
    parent = tags.pop("mlflow.parentRunId", None)
    return {
        "name": run.info.run_name,
        "status": run.info.status,
        "tags": tags,
        "parent": parent and keys[parent],
        "params": run.data.params,
        "metrics": curves(client, run),
        "data": [(d.dataset.name, d.dataset.digest) for d in run.inputs.dataset_inputs],
        "artifacts": sorted(f.path for f in client.list_artifacts(run.info.run_id)),
    }
