from __future__ import annotations

from pathlib import Path

import mlflow.pyfunc
import numpy as np
import torch
from mlflow import MlflowClient
from torch import nn

from prunetune.plan import Plan
from prunetune.tracking.mlflow_store import MlflowStore
from prunetune.tracking.models import LoggedNetwork
from tests.tracking.sweeps import BUDGETS, OWNER, make_plan, make_record, make_spec


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
        store.log_winner(record, lambda: LoggedNetwork(model, images, {"mean": [0.5]}))
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
    assert loaded.metadata.metadata == {"mean": [0.5]}
    signature = loaded.metadata.signature
    assert [spec.shape for spec in signature.inputs.inputs] == [(-1, 3, 8, 8)]
    assert [spec.shape for spec in signature.outputs.inputs] == [(-1, 10)]
    with torch.no_grad():
        expected = model(torch.from_numpy(images)).numpy()
    np.testing.assert_array_equal(loaded.predict(images), expected)


def test_winners_of_a_budget_are_versions_of_one_registered_model_each_under_its_arm(
    storage: Path, client: MlflowClient
) -> None:
    tracking = {"uri": None, "experiment": None, "register_models": True}
    plan = make_plan().model_copy(update={"tracking": tracking})
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 10)).eval()
    images = np.zeros((1, 3, 8, 8), np.float32)
    winners = [make_record(make_spec(plan, study, 0, "confirm")) for study in plan.studies[:3]]
    for _ in range(2):
        store = MlflowStore(plan, None, storage, OWNER.storage)
        for record in winners:
            store.log_winner(record, lambda: LoggedNetwork(model, images))
        store.finish(240)
    by_name = {m.name: m for m in client.search_registered_models()}
    assert by_name.keys() == {f"{plan.sweep}-{budget}" for budget in BUDGETS}
    for record in winners:
        name = f"{plan.sweep}-{record.budget}"
        version = client.get_model_version_by_alias(name, str(record.arm))
        assert version.tags["prunetune.key"] == record.key
        logged = client.get_logged_model(version.tags["prunetune.model"])
        assert (logged.source_run_id, logged.artifact_location) == (version.run_id, version.source)
    assert len(client.search_model_versions()) == len(winners)
