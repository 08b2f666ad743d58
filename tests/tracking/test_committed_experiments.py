"""Every experiment of this repository opens as a sweep does: it has its plan beside its records."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient

from prunetune.agenda.keys import strangers
from prunetune.records.store import Store
from prunetune.sweep import load_plan
from prunetune.sweep.tracked import caught_up
from tests.tracking.dump import by_key

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
COMMITTED = sorted(path.parent for path in EXPERIMENTS.glob("20*/records"))


@pytest.mark.parametrize("folder", COMMITTED, ids=lambda path: path.name)
def test_the_records_answer_the_question_of_the_plan_beside_them(folder: Path) -> None:
    store = Store.of_folder(folder)
    assert store is not None, f"{folder.name} has records and no plan.json"
    records = store.records()
    assert records
    assert not list(strangers(load_plan(store), records.values()))


def test_two_experiments_of_one_name_are_shown_apart_each_under_its_folder(storage: Path) -> None:
    twins = [f for f in COMMITTED if f.name.endswith("-resnet20-cpu")]
    assert len(twins) == 2
    for folder in twins:
        copied = shutil.copytree(folder, storage / folder.name)
        store = Store.of_folder(copied)
        assert store is not None
        kept = dict(list(store.records().items())[:3])
        for key in store.records().keys() - kept.keys():
            (copied / "records" / f"{key}.json").unlink()
        shutil.rmtree(copied / "report")
        tracking = caught_up(load_plan(store), store)
        assert tracking.experiment == folder.name
        runs = by_key(MlflowClient(tracking.uri), folder.name)
        assert kept.keys() <= runs.keys()
        assert {run.info.status for run in runs.values()} == {"FINISHED"}
        assert {run.data.tags["prunetune.sweep"] for run in runs.values()} == {folder.name}


def test_a_sweep_that_ran_without_mlflow_opens_too(storage: Path) -> None:
    folder = shutil.copytree(COMMITTED[0], storage / "copy")
    store = Store.of_folder(folder)
    assert store is not None
    kept = dict(list(store.records().items())[:1])
    for key in store.records().keys() - kept.keys():
        (folder / "records" / f"{key}.json").unlink()
    plan = load_plan(store).model_copy(update={"tracking": {"uri": "none", "experiment": None}})
    tracking = caught_up(plan, store)
    assert kept.keys() <= by_key(MlflowClient(tracking.uri), "copy").keys()
