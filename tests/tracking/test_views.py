from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from mlflow import MlflowClient

from prunetune.plan import Plan
from prunetune.tracking.layout import trial_run
from prunetune.tracking.mlflow_store import MlflowStore
from prunetune.tracking.short_names import _shortened, search_axes
from prunetune.tracking.views import link, saved_views
from tests.tracking.sweeps import OWNER, make_plan, make_record, make_spec


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
        "effort": "Search effort",
    }


def test_what_exists_together_shares_a_chart_and_everything_searched_has_an_axis() -> None:
    recipes = json.loads(saved_views(make_plan(), OWNER)[1].state())
    charts = [c["selectedParams"] for c in recipes["compareRunCharts"] if "selectedParams" in c]
    assert charts == [
        ["arm", "budget", "log10 lr", "log10 weight_decay"],
        ["arm", "budget", "criterion"],
        ["arm", "budget", "p"],
    ]
    assert "tags.`prunetune.phase` = 'search'" in recipes["searchFilter"]


def test_short_names_tell_all_searched_values_apart() -> None:
    paths = ("recipe.optimizer.sgd.lr", "recipe.optimizer.adamw.lr", "recipe.mixup", "a.lr.mixup")
    assert list(_shortened(paths).values()) == ["sgd.lr", "adamw.lr", "recipe.mixup", "lr.mixup"]


def test_a_search_trial_bears_what_its_axes_show() -> None:
    plan = make_plan()
    for study in plan.studies:
        spec = make_spec(plan, study, 0)
        params = trial_run(plan, spec).params
        for dimension, name in search_axes(plan, study):
            value = spec.config[dimension.path]
            shown = params[name]
            if name.startswith("log10 "):
                assert 10 ** float(shown) == pytest.approx(value, rel=1e-3)
            else:
                assert shown == str(value)


@pytest.mark.parametrize("classes", [10, 1000])
def test_no_loss_however_large_flattens_the_curves_of_other_trials(classes: int) -> None:
    plan = make_plan()
    dense = plan.dense.model_copy(update={"architecture": {"classes": classes}})
    curves = json.loads(saved_views(plan.model_copy(update={"dense": dense}), OWNER)[2].state())
    ends = {c["metricKey"]: c.get("range", {}).get("yMax") for c in curves["compareRunCharts"]}
    assert ends.pop("val_acc1") is None
    assert all(math.log(classes) < end < 2 * math.log(classes) for end in ends.values())


def test_the_link_opens_a_view_of_an_experiment() -> None:
    assert link("http://127.0.0.1:5000/", "7") == (
        "http://127.0.0.1:5000/#/experiments/7/runs?viewStateShareKey=frontier"
        "&compareRunsMode=CHART&workflowType=machine_learning"
    )
    assert "viewStateShareKey=curves&" in link("http://h", "7", "curves")
