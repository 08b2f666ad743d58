from __future__ import annotations

import json
from pathlib import Path

from mlflow import MlflowClient

from prunetune.plan import Plan
from prunetune.tracking.mlflow_store import MlflowStore
from prunetune.tracking.views import link, saved_views
from tests.tracking.sweeps import LR, OWNER, make_plan, make_record, make_spec


def test_the_views_stand_in_the_experiment_as_the_ui_reads_them(
    plan: Plan, storage: Path, client: MlflowClient
) -> None:
    store = MlflowStore(plan, None, storage, OWNER.storage)
    store.on_record(make_record(make_spec(plan, None, 0, "dense")))
    store.finish(120)
    tags = client.get_experiment_by_name(plan.sweep).tags
    assert tags["mlflow.experimentKind"] == "custom_model_development"
    assert tags["mlflow.note.content"] == plan.question
    names = {}
    for key, value in tags.items():
        if key.startswith("mlflow.sharedViewState."):
            envelope = json.loads(value)
            assert envelope.keys() == {"name", "createdAt", "state"}
            state = json.loads(envelope["state"])
            sections = {section["uuid"] for section in state["compareRunSections"]}
            assert all(c["metricSectionId"] in sections for c in state["compareRunCharts"])
            names[key.removeprefix("mlflow.sharedViewState.")] = envelope["name"]
    assert names == {
        "frontier": "Frontier (confirmed)",
        "recipes": "Recipes and trials",
        "curves": "Training curves",
    }


def test_what_exists_together_shares_a_chart_and_everything_searched_has_an_axis() -> None:
    recipes = json.loads(saved_views(make_plan(), OWNER)[1].state())
    charts = [c["selectedParams"] for c in recipes["compareRunCharts"] if "selectedParams" in c]
    assert charts == [
        ["arm", "budget", LR, "recipe.weight_decay"],
        ["arm", "budget", "method.criterion"],
        ["arm", "budget", "method.criterion.magnitude.p"],
    ]


def test_the_link_opens_a_view_of_an_experiment() -> None:
    assert link("http://127.0.0.1:5000/", "7") == (
        "http://127.0.0.1:5000/#/experiments/7/runs?viewStateShareKey=frontier"
        "&compareRunsMode=CHART&workflowType=machine_learning"
    )
    assert "viewStateShareKey=curves&" in link("http://h", "7", "curves")
