"""Logs a winner's network as an MLflow model: an exported graph and its signature, no pickle."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow.pytorch
import numpy as np
from mlflow import MlflowClient
from mlflow.entities import LoggedModelOutput
from mlflow.models import Model, ModelSignature
from mlflow.types.schema import Schema, TensorSpec

from prunetune.records.record import Record
from prunetune.tracking.layout import KEY, STUDY
from prunetune.tracking.owner import Owner

LoadNetwork = Callable[[], tuple[Any, np.ndarray[Any, Any]]]
"""Gives a network, a torch module in eval mode on the CPU, and normalised images for it: float32
(N, C, H, W), of which the first one is used."""


def log_winner(
    client: MlflowClient,
    experiment_id: str,
    run_id: str,
    owner: Owner,
    record: Record,
    load: LoadNetwork,
    classes: int,
) -> None:
    """Log a network as the model of `record`'s run, unless the run has one already.

    It uses the client's calls instead of `mlflow.pytorch.log_model`, because the latter reads and
    sets the tracking URI and the active run of the whole process.

    Args:
        client: of the tracking server.
        experiment_id: the experiment of the run.
        run_id: the run of `record`.
        owner: the sweep; models of other storages stay as they are.
        record: the winning trial.
        load: gives the network; called only if it is needed.
        classes: the network's number of classes.
    """
    ours = f"tags.`{KEY}` = '{record.key}'"
    for existing in client.search_logged_models([experiment_id], filter_string=ours):
        if existing.status == "READY" and existing.source_run_id == run_id:
            return
        if existing.source_run_id != run_id and not owner.has(existing.tags):
            continue
        client.delete_logged_model(existing.model_id)  # cut short, or of a replaced run
    study = record.study or "dense"
    logged = client.create_logged_model(
        experiment_id,
        name=study.replace(".", "_"),  # MLflow forbids dots in a model's name
        source_run_id=run_id,
        tags={KEY: record.key, STUDY: study, **owner.tags},
        params={"macs": str(record.macs), "params": str(record.params)},
        model_type="classifier",
    )
    model, example = load()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        mlflow.pytorch.save_model(
            model,
            str(folder),
            mlflow_model=Model(model_id=logged.model_id, run_id=run_id),
            signature=_signature(example, classes),
            input_example=np.repeat(example[:1], 2, axis=0),  # an exported batch of 1 is fixed
            pip_requirements=[f"torch=={version('torch')}"],  # MLflow's own inference takes 12 s
            serialization_format="pt2",
        )
        client.log_model_artifacts(logged.model_id, str(folder))
    client.finalize_logged_model(logged.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])


def _signature(example: np.ndarray[Any, Any], classes: int) -> ModelSignature:
    images = TensorSpec(example.dtype, (-1, *example.shape[1:]))
    scores = TensorSpec(np.dtype(np.float32), (-1, classes))
    return ModelSignature(Schema([images]), Schema([scores]))
