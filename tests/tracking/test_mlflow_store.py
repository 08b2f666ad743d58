from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import pytest
from mlflow import MlflowClient

from prunetune.colors import DENSE, arm_colors
from prunetune.plan import Plan
from prunetune.records.files import StoredFolder
from prunetune.records.record import Record, Status
from prunetune.tracking.layout import StudyResult
from prunetune.tracking.mlflow_store import MlflowStore
from tests.tracking.dump import by_key, curves, dump, runs
from tests.tracking.sweeps import (
    ARMS,
    BUDGETS,
    OWNER,
    make_epochs,
    make_plan,
    make_record,
    make_results,
    make_spec,
    make_specs,
)

Tell = Callable[..., None]
Tracked = tuple[MlflowClient, Plan, list[Record]]


@pytest.fixture(scope="module")
def tracked(empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Tracked:
    """A whole sweep, written once, to be read only."""
    storage, plan = tmp_path_factory.mktemp("tracked"), make_plan()
    shutil.copy(empty_database, storage / "mlflow.db")
    records = [make_record(spec) for spec in make_specs(plan)]
    store = MlflowStore(plan, None, storage, OWNER.storage)
    store.sync(records)
    store.finish(120)
    return MlflowClient(store.uri), plan, records


def one_spec(plan: Plan) -> Any:
    return make_spec(plan, plan.study("pruned@0.25"), 1)


def test_records_come_back_as_runs(tracked: Tracked) -> None:
    client, plan, records = tracked
    found = by_key(client, plan.sweep)
    for record in records:
        run = found[record.key]
        said = {"arm": record.arm or "dense", "budget": record.budget, **record.config}
        dotted = {k: v for k, v in run.data.params.items() if k in said}
        assert dotted == {k: str(v) for k, v in said.items() if v is not None}
        assert dotted == run.data.params or record.phase == "search"
        logged = curves(client, run)
        for name in ("val_acc1", "val_loss", "train_loss"):
            assert logged.pop(name) == [(e.epoch, getattr(e, name)) for e in record.curve]
        assert record.macs
        once = {
            "macs": record.macs,
            "params": record.params,
            "mac_ratio": record.macs / record.dense_macs,
            "train_macs": record.train_macs.total,
            "wall_s": record.wall_s["total"],
            "test_acc1": record.test_acc1,
        }
        assert logged == {k: [(0, v)] for k, v in once.items() if v is not None}
        facts = {
            **{k: getattr(record, k) for k in ("sweep", "phase", "arm", "budget", "method")},
            **{k: getattr(record, k) for k in ("seed", "status", "key")},
            "kind": "trial",
            "arm": record.arm or "dense",
            "criterion": record.config.get("method.criterion"),
        }
        ours = {k: v for k, v in run.data.tags.items() if k.startswith("prunetune.")}
        ours.pop("prunetune.study")
        assert ours.pop("prunetune.storage") == OWNER.storage
        assert ours == {f"prunetune.{k}": str(v) for k, v in facts.items() if v is not None}
        times = (record.started_at, record.ended_at)
        assert [run.info.start_time, run.info.end_time] == [
            round(1000 * datetime.fromisoformat(t).timestamp()) for t in times if t
        ]


@pytest.mark.parametrize("status", get_args(Status))
def test_how_a_trial_ended_is_its_status(
    status: Status, plan: Plan, client: MlflowClient, tell: Tell
) -> None:
    record = make_record(one_spec(plan), status)
    tell(lambda store: store.on_record(record))
    run = by_key(client, plan.sweep)[record.key]
    assert run.data.tags["prunetune.status"] == status
    assert run.info.status == ("FAILED" if status in ("failed", "diverged") else "FINISHED")
    assert run.data.tags.get("mlflow.note.content") == record.error
    last = curves(client, run)["train_loss"][-1]
    assert math.isnan(last[1]) == (status == "diverged")


def test_trials_hang_under_their_studies(tracked: Tracked) -> None:
    client, plan, records = tracked
    found = dump(client, plan.sweep)
    parents = {key for key, run in found.items() if run["tags"]["prunetune.kind"] == "study"}
    assert parents == {"dense", *(f"{arm}@{budget}" for arm in ARMS for budget in BUDGETS)}
    assert all(found[key]["parent"] is None and found[key]["name"] == key for key in parents)
    assert {r.key: r.study or "dense" for r in records} == {
        key: run["parent"] for key, run in found.items() if key not in parents
    }
    for key, run in found.items():
        assert run["data"] == ([] if key in parents else [("cifar10", plan.data_key)])


def test_every_arm_has_one_colour(tracked: Tracked) -> None:
    client, plan, _ = tracked
    colors = {**arm_colors(plan.arms()), "dense": DENSE}
    for run in runs(client, plan.sweep):
        assert run.data.tags["mlflow.runColor"] == colors[run.data.tags["prunetune.arm"]]


def test_watching_a_sweep_and_replaying_it_write_the_same(
    plan: Plan, client: MlflowClient, tell: Tell
) -> None:
    other = make_plan("replayed")
    specs = list(make_specs(plan))[:8]

    def watch(store: MlflowStore) -> None:
        for spec in specs:
            store.on_dealt(spec)
            for epoch in make_epochs(spec):
                store.on_epoch(spec, epoch)
        store.finish()  # so that epochs are written before their record is
        for spec in specs:
            store.on_record(make_record(spec))

    tell(watch)
    tell(lambda store: store.sync(map(make_record, specs)), plan=other)
    watched, replayed = dump(client, plan.sweep), dump(client, other.sweep)
    for run in (*watched.values(), *replayed.values()):
        del run["tags"]["prunetune.sweep"]
    assert {k: watched[k] for k in replayed} == replayed


def test_writing_twice_changes_nothing(
    plan: Plan, storage: Path, client: MlflowClient, tell: Tell
) -> None:
    folder = storage / "report"
    folder.mkdir()
    (folder / "index.html").write_text("<p>the answer</p>")

    def everything(store: MlflowStore) -> None:
        store.sync(map(make_record, make_specs(plan)))
        store.study_results(make_results(plan))
        store.report(StoredFolder(folder))

    def state() -> Any:
        experiment = client.get_experiment_by_name(plan.sweep)
        ids = {run.info.run_id for run in runs(client, plan.sweep)}
        return dump(client, plan.sweep), ids, experiment.tags

    tell(everything)
    before = state()
    tell(everything)
    tell(lambda store: (everything(store), everything(store)))
    assert state() == before
    assert before[0]["report"]["artifacts"] == ["index.html"]
    assert list((storage / "mlartifacts").rglob("index.html"))


def test_a_broken_off_trial_goes_on_in_its_run(
    plan: Plan, client: MlflowClient, tell: Tell
) -> None:
    spec = one_spec(plan)
    epochs = make_epochs(spec)

    def until(last: int) -> Callable[[MlflowStore], None]:
        def story(store: MlflowStore) -> None:
            store.on_dealt(spec)
            for epoch in epochs[:last]:
                store.on_epoch(spec, epoch)

        return story

    tell(until(2))
    first = by_key(client, plan.sweep)[spec.key]
    assert first.info.status == "KILLED"
    assert first.data.tags["prunetune.status"] == "running"
    tell(until(3))  # tells its past epochs again
    tell(lambda store: store.on_record(make_record(spec)))
    run = by_key(client, plan.sweep)[spec.key]
    assert run.info.run_id == first.info.run_id
    assert run.info.status == "FINISHED"
    assert curves(client, run)["val_acc1"] == [(e.epoch, e.val_acc1) for e in epochs]


@pytest.mark.parametrize("status", ["completed", "failed"])
@pytest.mark.parametrize("dealt", [True, False])
def test_a_new_attempt_replaces_the_failed_one(
    dealt: bool, status: Status, plan: Plan, client: MlflowClient, tell: Tell
) -> None:
    spec = one_spec(plan)
    record = make_record(spec, status)
    earlier = make_record(spec, "failed", epochs=2).model_copy(
        update={"ended_at": "2026-01-01T00:00:00.000+00:00", "error": "out of memory"}
    )

    def again(store: MlflowStore) -> None:
        if dealt:
            store.on_dealt(spec)
            store.finish()
        store.on_record(record)

    tell(lambda store: store.on_record(earlier))
    tell(again)
    run = by_key(client, plan.sweep)[spec.key]
    assert run.data.tags["prunetune.status"] == status
    assert run.data.tags.get("mlflow.note.content") == record.error
    assert curves(client, run)["val_loss"] == [(e.epoch, e.val_loss) for e in record.curve]


def test_parents_carry_the_confirmed_result(plan: Plan, client: MlflowClient, tell: Tell) -> None:
    dense = StudyResult(0.94, 0.93, 0.95, 3, plan.dense.macs)
    tell(lambda store: store.study_results({**make_results(plan), "dense": dense}))
    found = by_key(client, plan.sweep)
    for key, result in {**make_results(plan), "dense": dense}.items():
        assert found[key].data.metrics == {
            "confirm_acc1": result.confirm_acc1,
            "confirm_acc1_low": result.low,
            "confirm_acc1_high": result.high,
            "confirm_n": result.n,
            "macs": result.macs,
            "mac_ratio": result.macs / plan.dense.macs,
        }
    fewer = StudyResult(0.93, 0.92, 0.935, 1, plan.dense.macs)
    tell(lambda store: store.study_results({"dense": fewer}))
    metrics = by_key(client, plan.sweep)["dense"].data.metrics
    assert (metrics["confirm_acc1"], metrics["confirm_n"]) == (0.93, 1)


def test_two_sweeps_may_share_an_experiment(
    plan: Plan, storage: Path, client: MlflowClient
) -> None:
    record = make_record(one_spec(plan))
    for sweep in ("first", "second", "first"):
        store = MlflowStore(make_plan(sweep), None, storage, OWNER.storage, "shared")
        store.on_record(record)
        store.finish()
    found = [r.data.tags["prunetune.sweep"] for r in runs(client, "shared")]
    assert found.count("first") == found.count("second") == len(found) / 2


def test_growth_brings_new_studies_and_keeps_the_old_runs(
    storage: Path, client: MlflowClient, tell: Tell
) -> None:
    small = make_plan(arms={"thin": "width_scaling"})
    records = [make_record(spec) for spec in make_specs(small)]
    tell(lambda store: store.sync(records), plan=small)
    before = dump(client, small.sweep)
    tell(lambda store: store.sync(records), plan=make_plan())
    after = dump(client, small.sweep)
    assert {key: after[key] for key in before} == before
    assert after.keys() - before.keys() == {
        f"{a}@{b}" for a in ARMS if a != "thin" for b in BUDGETS
    }


def test_long_curves_and_wide_configs_are_cut_into_what_mlflow_takes(
    plan: Plan, client: MlflowClient, tell: Tell
) -> None:
    spec = one_spec(plan)
    spec = spec.model_copy(update={"config": {f"recipe.x{i}": i for i in range(250)}})
    record: Record = make_record(spec, epochs=700)
    tell(lambda store: store.on_record(record))
    run = by_key(client, plan.sweep)[record.key]
    assert len(run.data.params) == 252
    assert len(curves(client, run)["train_loss"]) == 700


ALONE = """
import sys
from pathlib import Path
from prunetune.tracking.mlflow_store import MlflowStore
from tests.tracking.sweeps import OWNER, make_plan, make_record, make_specs
assert "mlflow" not in sys.modules, "imported only by the thread that needs it"
store = MlflowStore(make_plan(), None, Path(sys.argv[1]), OWNER.storage)
store.on_record(make_record(next(make_specs(make_plan()))))
store.finish(120)
"""


@pytest.mark.slow
def test_mlflow_is_not_heard_on_the_console(tmp_path: Path) -> None:
    """In a process of its own, where the tables are made and nobody else imported mlflow."""
    command = [sys.executable, "-c", ALONE, str(tmp_path / "new")]
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert (told.stdout, told.stderr) == ("", "")
    assert (tmp_path / "new" / "mlflow.db").exists()
