"""Named chart views of MLflow's UI, written as tags of the experiment, and the link to one.

The UI keeps a saved view in the tag `mlflow.sharedViewState.<key>`: a JSON envelope {name,
createdAt, state}, where `state` is the page's state as JSON text. Charts with `isGenerated` false
in a section of their own come first. The UI draws a nested run only while its row is shown; in a
view that is sorted by a metric all rows are shown. Proven with MLflow 3.17 in a browser.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from prunetune.plan import Plan
from prunetune.tracking.charts import line, parallel, scatter
from prunetune.tracking.layout import KIND
from prunetune.tracking.lines import EFFORT_MACS, EFFORT_METRIC, FRONTIER_METRIC
from prunetune.tracking.owner import Owner
from prunetune.tracking.short_names import search_axes

VIEW_TAG = "mlflow.sharedViewState."
FRONTIER, RECIPES, CURVES, EFFORT_VIEW = "frontier", "recipes", "curves", "effort"
_CURVES_AT_ONCE = 40
"""Of more trials, the best are drawn: more lines cannot be told apart."""
_LOSS_OF_CHANCE = 1.5
"""Axes of losses end at so many times the loss of a network that guesses: one trial whose loss is
800 would flatten the curves of all others."""

PAGE_STATE: dict[str, Any] = {
    "searchFilter": "",
    "orderByKey": "attributes.start_time",
    "orderByAsc": False,
    "startTime": "ALL",
    "lifecycleFilter": "Active",
    "modelVersionFilter": "All Runs",
    "datasetsFilter": [],
    "selectedColumns": [],
    "runsExpanded": {},
    "runsPinned": [],
    "runsHidden": [],
    "runsVisibilityMap": {},
    "runsHiddenMode": "SHOW_ALL",
    "viewMaximized": False,
    "runListHidden": False,
    "isAccordionReordered": True,
    "groupBy": None,
    "groupsExpanded": {},
    "hideEmptyCharts": True,
    "useGroupedValuesInCharts": True,
    "autoRefreshEnabled": True,
    "globalLineChartConfig": {"lineSmoothness": 0},
}
"""The fields of a page's state that the UI does not fill in by itself, at their defaults."""


@dataclass(frozen=True)
class View:
    """A saved view: its key in the link, its name in the menu, its charts and page state."""

    key: str
    name: str
    charts: tuple[dict[str, Any], ...]
    page: dict[str, Any] = field(default_factory=dict)
    columns: int = 1

    def state(self) -> str:
        """The page's state as the JSON text that the UI reads."""
        section = {
            "uuid": self.key,
            "name": self.name,
            "display": True,
            "isReordered": True,
            "deleted": False,
            "isGenerated": False,
            "columns": self.columns,
            "cardHeight": 440,
        }
        common = {"metricSectionId": self.key, "deleted": False, "isGenerated": False}
        charts = [
            {"uuid": f"{self.key}-{number}", **common, **chart}
            for number, chart in enumerate(self.charts)
        ]
        page = {**PAGE_STATE, **self.page}
        return json.dumps({**page, "compareRunCharts": charts, "compareRunSections": [section]})

    def envelope(self, created_at: int) -> str:
        """The value of the view's tag; `created_at` is in milliseconds since 1970."""
        return json.dumps({"name": self.name, "createdAt": created_at, "state": self.state()})


def saved_views(plan: Plan, owner: Owner, suffix: str = "") -> tuple[View, ...]:
    """The views of a sweep; the first one shows the answer.

    Args:
        plan: the sweep.
        owner: whose runs they show.
        suffix: ends their keys and names, where another owner has views in the same experiment.
    """
    views = (_frontier(), _recipes(plan), _curves(plan), _effort())
    return tuple(_owned(view, owner, suffix) for view in views)


def link(base: str, experiment_id: str, key: str = FRONTIER) -> str:
    """The address of a saved view in the UI at `base`; by default the frontier."""
    query = {
        "viewStateShareKey": key,
        "compareRunsMode": "CHART",
        "workflowType": "machine_learning",
    }
    return f"{base.rstrip('/')}/#/experiments/{experiment_id}/runs?{urlencode(query)}"


def _owned(view: View, owner: Owner, suffix: str) -> View:
    only = f"{view.page['searchFilter']} AND {owner.condition}"
    name = f"{view.name} {suffix}".rstrip()
    page = {**view.page, "searchFilter": only}
    return replace(view, key=view.key + suffix, name=name, page=page)


def _frontier() -> View:
    metrics = ("confirm_acc1", "confirm_acc1_low", "confirm_acc1_high", "confirm_n", "macs")
    charts = (
        line(FRONTIER_METRIC, log_steps=True),
        scatter("macs", "confirm_acc1"),
    )
    page = {
        "searchFilter": f"tags.`{KIND}` != 'trial' AND tags.`{KIND}` != 'effort'",
        "orderByKey": f"metrics.`{FRONTIER_METRIC}`",  # the arms stand before their studies
        "selectedColumns": [f"metrics.`{name}`" for name in metrics],
    }
    return View(FRONTIER, "Frontier (confirmed)", charts, page)


def _recipes(plan: Plan) -> View:
    charts = (*map(parallel, _axes(plan)), scatter("macs", "val_acc1"))
    columns = ["metrics.`val_acc1`", "metrics.`mac_ratio`", "params.`arm`", "params.`budget`"]
    page = _of_kind("trial", orderByKey="metrics.`val_acc1`", selectedColumns=columns)
    page["searchFilter"] += " AND tags.`prunetune.phase` = 'search'"
    return View(RECIPES, "Recipes and trials", charts, page)


def _curves(plan: Plan) -> View:
    highest = _LOSS_OF_CHANCE * math.log(plan.dense.architecture["classes"])
    charts = (
        line("val_acc1", runs=_CURVES_AT_ONCE),
        line("val_loss", highest=highest, runs=_CURVES_AT_ONCE),
        line("train_loss", highest=highest, runs=_CURVES_AT_ONCE),
    )
    page = _of_kind("trial", orderByKey="metrics.`val_acc1`")
    return View(CURVES, "Training curves", charts, page, columns=2)


def _effort() -> View:
    charts = (
        line(EFFORT_METRIC),
        line(EFFORT_METRIC, steps_of=EFFORT_MACS),
    )
    page = _of_kind("effort", orderByKey=f"metrics.`{EFFORT_METRIC}`")
    return View(EFFORT_VIEW, "Search effort", charts, page)


def _axes(plan: Plan) -> list[list[str]]:
    """The axes of searched values in groups, one group for each chart; those of all trials first.

    A parallel-coordinates chart leaves out every run that lacks one of its parameters. So each set
    of studies, and each condition under which a value is searched, has a chart of its own.
    """
    studies: dict[str, list[str]] = {}
    when: dict[str, Any] = {}
    for study in plan.studies:
        for dimension, name in search_axes(plan, study):
            studies.setdefault(name, []).append(study.id)
            when[name] = dimension.when
    together: dict[str, list[str]] = {repr(([study.id for study in plan.studies], ())): []}
    for name, ids in studies.items():
        together.setdefault(repr((ids, when[name])), []).append(name)
    return [group for group in together.values() if group] or [[]]


def _of_kind(kind: str, **page: Any) -> dict[str, Any]:
    return {"searchFilter": f"tags.`{KIND}` = '{kind}'", **page}
