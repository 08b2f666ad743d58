"""A tracking server with an artifact store of its own, while a sweep runs and after it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import mlflow.artifacts
import mlflow.pyfunc
import numpy as np
import pytest
import torch
from mlflow import MlflowClient
from torch import nn

from prunetune.records.files import StoredFolder
from prunetune.tracking.environment import store_uri
from prunetune.tracking.mlflow_store import MlflowStore
from prunetune.tracking.models import LoggedNetwork
from prunetune.tracking.ui import server
from tests.tracking.dump import by_key, curves
from tests.tracking.sweeps import (
    OWNER,
    make_epochs,
    make_plan,
    make_record,
    make_results,
    make_spec,
)

pytestmark = pytest.mark.slow
REGISTER = {"uri": None, "experiment": None, "register_models": True}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("server")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_ARTIFACTS_DESTINATION", str(folder / "elsewhere"))
        with server(store_uri(None, folder)) as (address, _):
            yield address


def test_epochs_appear_while_the_trial_runs_and_all_files_go_to_the_server(
    base: str, tmp_path: Path
) -> None:
    plan = make_plan().model_copy(update={"tracking": REGISTER})
    spec = make_spec(plan, plan.study("thin@0.5"), 0, "confirm")
    epochs, record = make_epochs(spec), make_record(spec)
    store = MlflowStore(plan, base, tmp_path / "here", OWNER.storage)
    begun = time.monotonic()
    store.on_dealt(spec)
    for epoch in epochs[:2]:
        store.on_epoch(spec, epoch)
    assert time.monotonic() - begun < 0.1, "the driver waits for nothing"
    client = MlflowClient(base)
    while store._backlog.left():
        time.sleep(0.1)
    run = by_key(client, plan.sweep)[spec.key]
    assert run.info.status == "RUNNING"
    assert curves(client, run)["val_acc1"] == [(e.epoch, e.val_acc1) for e in epochs[:2]]

    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 10)).eval()
    images = np.ones((2, 3, 8, 8), np.float32)
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "index.html").write_text("a page")
    store.on_record(record)
    store.study_results(make_results(plan))
    store.log_winner(record, lambda: LoggedNetwork(model, images))
    store.report(StoredFolder(tmp_path / "report"))
    store.finish(None)

    found = by_key(client, plan.sweep)
    assert curves(client, found[spec.key])["val_acc1"] == [(e.epoch, e.val_acc1) for e in epochs]
    assert {run.info.status for run in found.values()} == {"FINISHED"}
    report = found["report"].info
    page = mlflow.artifacts.download_artifacts(
        run_id=report.run_id, artifact_path="index.html", tracking_uri=base
    )
    assert Path(page).read_text() == "a page"
    version = client.get_model_version_by_alias(f"{plan.sweep}-0.5", "thin")
    folder = mlflow.artifacts.download_artifacts(version.source, tracking_uri=base)
    with torch.no_grad():
        expected = model(torch.from_numpy(images)).numpy()
    np.testing.assert_array_equal(mlflow.pyfunc.load_model(folder).predict(images), expected)
    assert not list((tmp_path / "here").rglob("*.pt2")), "nothing is kept beside the results"
