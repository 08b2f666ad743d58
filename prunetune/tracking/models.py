"""Logs a winner's network as an MLflow model: an exported graph and its signature, no pickle.

Whoever loads it needs torch and mlflow alone.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow.pytorch
import numpy as np
from mlflow import MlflowClient
from mlflow.entities import LoggedModelOutput
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.types.schema import Schema, TensorSpec

from prunetune.records.record import Record
from prunetune.tracking.layout import KEY, STUDY
from prunetune.tracking.owner import Owner

_MODEL = "prunetune.model"
"""Tag of a version: the id of the logged model."""


@dataclass(frozen=True)
class LoggedNetwork:
    """A network as it is logged."""

    model: Any
    """A torch module in eval mode, on the CPU."""
    images: np.ndarray[Any, Any]
    """Normalised images for it: float32 (N, C, H, W), of which the first one is used."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What a user of the model must know, as JSON; the model's metadata."""


LoadNetwork = Callable[[], LoggedNetwork]
"""Gives a network; called only if it is needed."""


def log_winner(
    client: MlflowClient,
    experiment_id: str,
    run_id: str,
    owner: Owner,
    record: Record,
    load: LoadNetwork,
    classes: int,
) -> str:
    """Log a network as the model of `record`'s run, unless the run has one already.

    It uses the client's calls instead of `mlflow.pytorch.log_model`, because the latter reads and
    sets the tracking URI and the active run of the whole process.

    Args:
        client: of the tracking server.
        experiment_id: the experiment of the run.
        run_id: the run of `record`.
        owner: the sweep; models of other storages stay as they are.
        record: the winning trial.
        load: gives the network.
        classes: the network's number of classes.

    Returns:
        The model's id.
    """
    ours = f"tags.`{KEY}` = '{record.key}'"
    for existing in client.search_logged_models([experiment_id], filter_string=ours):
        if existing.status == "READY" and existing.source_run_id == run_id:
            return str(existing.model_id)
        if existing.source_run_id != run_id and not owner.has(existing.tags):
            continue
        client.delete_logged_model(existing.model_id)  # cut short, or of a replaced run
    study = record.study or "dense"
    logged = client.create_logged_model(
        experiment_id,
        name=study.replace(".", "_"),  # MLflow forbids dots in a model's name
        source_run_id=run_id,
        tags={KEY: record.key, STUDY: study, **owner.tags},
        params={name: str(getattr(record, name)) for name in ("macs", "params", "test_acc1")},
        model_type="classifier",
    )
    network = load()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        mlflow.pytorch.save_model(
            network.model,
            str(folder),
            mlflow_model=Model(model_id=logged.model_id, run_id=run_id),
            signature=_signature(network.images, classes),
            # an exported batch of 1 is fixed
            input_example=np.repeat(network.images[:1], 2, axis=0),
            metadata=network.facts,
            pip_requirements=[f"torch=={version('torch')}"],  # MLflow's own inference takes 12 s
            serialization_format="pt2",
        )
        client.log_model_artifacts(logged.model_id, str(folder))
    client.finalize_logged_model(logged.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
    return str(logged.model_id)


def register_winner(
    client: MlflowClient, run_id: str, owner: Owner, record: Record, model_id: str
) -> None:
    """Make a logged model a version of its sweep's and budget's registered model, unless it is one.

    The arm's name is the version's alias. An arm that is searched under several matchings, or in
    several replicates, has one alias for each.
    """
    name = registered_name(owner.sweep, record)
    try:
        client.create_registered_model(name, tags=owner.tags)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    alias = _alias(record)
    versions = client.search_model_versions(f"name = '{name}'")
    version = next((v.version for v in versions if v.tags.get(_MODEL) == model_id), None)
    if version is None:
        tags = {_MODEL: model_id, KEY: record.key, STUDY: record.study or "dense", **owner.tags}
        # not `models:/ID`, which MLflow looks up in the tracking store of the whole process
        source = client.get_logged_model(model_id).artifact_location
        version = client.create_model_version(
            name, source, run_id, tags=tags, model_id=model_id
        ).version
    if client.get_registered_model(name).aliases.get(alias) != version:
        client.set_registered_model_alias(name, alias, version)


def registered_name(sweep: str, record: Record) -> str:
    """The name of the registered model of a record's budget: `resnet56-cifar10-0.5`."""
    return f"{sweep}-{record.budget or 'dense'}"


def _alias(record: Record) -> str:
    arm, _, rest = (record.study or "dense").partition("@")
    _, _, matching = rest.partition(" ")
    return re.sub(r"[^\w-]", "-", f"{arm} {matching}".rstrip())


def _signature(example: np.ndarray[Any, Any], classes: int) -> ModelSignature:
    images = TensorSpec(example.dtype, (-1, *example.shape[1:]))
    scores = TensorSpec(np.dtype(np.float32), (-1, classes))
    return ModelSignature(Schema([images]), Schema([scores]))
