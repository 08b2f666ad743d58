"""Runs that the charts draw as lines, and the run that holds the report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from prunetune.colors import arm_colors
from prunetune.plan import Plan
from prunetune.records.files import StoredFile, StoredFolder
from prunetune.sweep.publish import surroundings
from prunetune.tracking.layout import StudyResult
from prunetune.tracking.lines import (
    EFFORT_MACS,
    EFFORT_METRIC,
    FRONTIER_METRIC,
    EffortPoints,
    frontier_lines,
)
from prunetune.tracking.mlflow_store import MlflowStore
from tests.tracking.dump import by_key, curves
from tests.tracking.sweeps import ARMS, make_plan, make_record, make_results, make_spec

Tell = Callable[..., None]


def test_a_frontier_has_every_result_once_at_its_macs(
    plan: Plan, client: MlflowClient, tell: Tell
) -> None:
    results = make_results(plan)
    dense = StudyResult(0.94, 0.93, 0.95, 3, plan.dense.macs)
    tell(lambda store: store.study_results({**results, "dense": dense}))
    runs = {k: r for k, r in by_key(client, plan.sweep).items() if k.startswith("frontier ")}
    assert len(runs) == len(ARMS) + 1
    drawn = [point for run in runs.values() for point in curves(client, run)[FRONTIER_METRIC]]
    expected = [(round(r.macs), r.confirm_acc1) for r in [*results.values(), dense]]
    assert sorted(drawn) == sorted(expected)
    colors = {run.info.run_name: run.data.tags["mlflow.runColor"] for run in runs.values()}
    assert colors.pop("dense") not in colors.values()
    assert colors == arm_colors(plan.arms())


def test_a_point_that_moves_leaves_nothing_behind(
    plan: Plan, client: MlflowClient, tell: Tell
) -> None:
    results = make_results(plan)
    tell(lambda store: store.study_results(results))
    before = {key: run.info.run_id for key, run in by_key(client, plan.sweep).items()}
    moved = results | {"thin@0.5": replace(results["thin@0.5"], macs=results["thin@0.5"].macs - 7)}
    tell(lambda store: store.study_results(moved))
    after = by_key(client, plan.sweep)
    assert curves(client, after["frontier thin"])[FRONTIER_METRIC] == sorted(
        (round(moved[s.id].macs), moved[s.id].confirm_acc1) for s in plan.studies if s.arm == "thin"
    )
    changed = {key for key, run in after.items() if run.info.run_id != before[key]}
    assert changed == {"frontier thin"}


def test_matchings_and_replicates_have_frontiers_of_their_own() -> None:
    plan = make_plan(arms={"thin": "width_scaling"})
    ids = ("thin@0.5 scratch_b", "thin@0.25 scratch_b", "thin@0.5 scratch_b r2", "thin@0.5")
    studies = tuple(plan.studies[0].model_copy(update={"id": name}) for name in ids)
    plan = plan.model_copy(update={"studies": studies})
    names = [line.run.name for line in frontier_lines(plan, make_results(plan))]
    assert sorted(names) == ["thin", "thin scratch_b", "thin scratch_b r2"]


@pytest.mark.parametrize("arms", [("thin", "pruned"), ("dense", "thin")])
def test_the_dense_network_is_called_as_no_arm_is(arms: tuple[str, ...]) -> None:
    plan = make_plan(arms=dict.fromkeys(arms, "width_scaling"))
    dense = StudyResult(0.94, 0.93, 0.95, 3, plan.dense.macs)
    lines = list(frontier_lines(plan, {**make_results(plan), "dense": dense}))
    assert len({line.run.name for line in lines}) == len({line.run.key for line in lines}) == 3
    assert len({line.run.tags["prunetune.arm"] for line in lines}) == 3


def test_search_effort_hangs_under_its_study_and_follows_the_records(
    plan: Plan, client: MlflowClient, tell: Tell
) -> None:
    first = EffortPoints((0.5, 0.6), (1e9, 2e9))
    grown = EffortPoints((0.52, 0.61, 0.7), (1e9, 2e9, 3e9))
    for effort in (first, grown, grown):
        tell(lambda store, effort=effort: store.efforts({"thin@0.5": effort}))
    runs = by_key(client, plan.sweep)
    run = runs["effort thin@0.5"]
    assert run.data.tags["mlflow.parentRunId"] == runs["thin@0.5"].info.run_id
    assert curves(client, run) == {
        EFFORT_METRIC: list(enumerate(grown.best, 1)),
        EFFORT_MACS: list(enumerate(grown.macs, 1)),
    }


def test_the_report_says_by_what_it_was_computed_and_holds_its_question(
    plan: Plan, storage: Path, client: MlflowClient, tell: Tell
) -> None:
    record = make_record(make_spec(plan, plan.study("thin@0.5"), 0))
    here = {"device": "cpu", "versions": {"torch": "2.15.0", "commit": "0" * 40}}
    other = {"device": "cuda:H200", "versions": {"torch": "2.11.0", "commit": "0" * 40}}
    records = [record.model_copy(update=facts) for facts in (here, other)]
    (storage / "plan.json").write_text("{}")
    (storage / "report").mkdir()
    (storage / "report" / "index.html").write_text("a page")

    def report(store: MlflowStore) -> None:
        files: list[Any] = [StoredFile(storage / "plan.json")]
        store.report(StoredFolder(storage / "report"), files, surroundings(records))

    tell(report)
    run = by_key(client, plan.sweep)["report"]
    assert {f.path for f in client.list_artifacts(run.info.run_id)} == {"plan.json", "index.html"}
    tags = run.data.tags
    assert tags["prunetune.plan"] == plan.fingerprint
    assert tags["prunetune.device"] == "cpu, cuda:H200"
    assert tags["prunetune.versions.torch"] == "2.11.0, 2.15.0"
    assert tags["mlflow.source.git.commit"] == "0" * 40
