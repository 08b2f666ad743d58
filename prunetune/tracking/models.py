"""A winner as a logged model: the exported graph and its signature, no pickle of our classes."""

from __future__ import annotations

import tempfile
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


def log_winner(
    client: MlflowClient,
    experiment_id: str,
    run_id: str,
    record: Record,
    model: Any,
    example: np.ndarray[Any, Any],
    classes: int,
) -> None:
    """Log `model` as made by the run of `record`, unless that run has its model already.

    The client's calls are used, not `mlflow.pytorch.log_model`: that one reads and sets the
    tracking URI and the active run of the whole process.
    """
    ours = f"tags.`{KEY}` = '{record.key}'"
    for found in client.search_logged_models([experiment_id], filter_string=ours):
        if found.status == "READY" and found.source_run_id == run_id:
            return
        client.delete_logged_model(found.model_id)  # cut short, or of a run that was replaced
    study = record.study or "dense"
    logged = client.create_logged_model(
        experiment_id,
        name=study.replace(".", "_"),  # MLflow forbids dots in a model's name
        source_run_id=run_id,
        tags={KEY: record.key, STUDY: study},
        params={"macs": str(record.macs), "params": str(record.params)},
        model_type="classifier",
    )
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        mlflow.pytorch.save_model(
            model,
            str(folder),
            mlflow_model=Model(model_id=logged.model_id, run_id=run_id),
            signature=_signature(example, classes),
            input_example=np.repeat(example[:1], 2, axis=0),  # a batch of one would be fixed
            pip_requirements=[f"torch=={version('torch')}"],  # inferring them takes 12 s
            serialization_format="pt2",
        )
        client.log_model_artifacts(logged.model_id, str(folder))
    client.finalize_logged_model(logged.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])


def _signature(example: np.ndarray[Any, Any], classes: int) -> ModelSignature:
    images = TensorSpec(example.dtype, (-1, *example.shape[1:]))
    scores = TensorSpec(np.dtype(np.float32), (-1, classes))
    return ModelSignature(Schema([images]), Schema([scores]))
