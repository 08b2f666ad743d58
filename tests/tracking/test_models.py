from __future__ import annotations

from pathlib import Path

import mlflow.pyfunc
import numpy as np
import torch
from mlflow import MlflowClient
from torch import nn

from prunetune.plan import Plan
from prunetune.tracking.mlflow_store import MlflowStore
from tests.tracking.sweeps import OWNER, make_record, make_spec


def test_a_winner_is_a_logged_model_with_a_signature_and_without_a_pickle(
    plan: Plan, storage: Path, client: MlflowClient
) -> None:
    record = make_record(make_spec(plan, plan.study("thin@0.25"), 0))
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.Flatten(), nn.Linear(180, 10)
    ).eval()
    images = np.random.default_rng(0).normal(size=(7, 3, 8, 8)).astype(np.float32)
    for _ in range(2):
        store = MlflowStore(plan, None, storage, OWNER.storage)
        store.log_winner(record, lambda: (model, images))
        store.finish(240)
    experiment = client.get_experiment_by_name(plan.sweep).experiment_id
    (found,) = client.search_logged_models([experiment])
    assert found.status == "READY"
    run = client.get_run(found.source_run_id)
    assert run.data.tags["prunetune.key"] == record.key == found.tags["prunetune.key"]
    assert [o.model_id for o in run.outputs.model_outputs] == [found.model_id]

    folder = storage / "mlartifacts" / "models" / found.model_id / "artifacts"
    assert [p.name for p in (folder / "data").iterdir()] == ["model.pt2"]
    loaded = mlflow.pyfunc.load_model(str(folder))
    signature = loaded.metadata.signature
    assert [spec.shape for spec in signature.inputs.inputs] == [(-1, 3, 8, 8)]
    assert [spec.shape for spec in signature.outputs.inputs] == [(-1, 10)]
    with torch.no_grad():
        expected = model(torch.from_numpy(images)).numpy()
    np.testing.assert_array_equal(loaded.predict(images), expected)
