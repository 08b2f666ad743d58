"""Named chart views of MLflow's UI, written as tags of the experiment, and the link to one.

The UI keeps a saved view in the tag `mlflow.sharedViewState.<key>`: a JSON envelope {name,
createdAt, state}, where state is the state of its page as JSON text. Charts with `isGenerated`
false in a section of their own come first. Nested runs are drawn only where their row is shown; a
view sorted by a metric is flat, so it shows all. Proven with MLflow 3.17 in a browser.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from prunetune.spec.plan import Plan

TAG = "mlflow.sharedViewState."
FRONTIER, RECIPES, CURVES = "frontier", "recipes", "curves"
MAX_AXES = 12
"""Of a parallel-coordinates chart: more cannot be read."""

PAGE: dict[str, Any] = {
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
}
"""Every field of the page's state that the UI does not fill in by itself."""


@dataclass(frozen=True)
class View:
    """A saved view: its key in the link, its name in the menu, its charts and its page."""

    key: str
    name: str
    charts: tuple[dict[str, Any], ...]
    page: dict[str, Any] = field(default_factory=dict)

    def state(self) -> str:
        """The state of the UI's page, as the JSON text that the UI reads."""
        section = {
            "uuid": self.key,
            "name": self.name,
            "display": True,
            "isReordered": True,
            "deleted": False,
            "isGenerated": False,
            "columns": 2,
            "cardHeight": 520,
        }
        common = {"metricSectionId": self.key, "deleted": False, "isGenerated": False}
        charts = [
            {"uuid": f"{self.key}-{number}", **common, **chart}
            for number, chart in enumerate(self.charts)
        ]
        page = {**PAGE, **self.page}
        return json.dumps({**page, "compareRunCharts": charts, "compareRunSections": [section]})

    def envelope(self, created_at: int) -> str:
        """The value of the experiment's tag; `created_at` in milliseconds since 1970."""
        return json.dumps({"name": self.name, "createdAt": created_at, "state": self.state()})


def saved_views(plan: Plan) -> tuple[View, ...]:
    """The views of a sweep, the one with the answer first."""
    return (_frontier(), _recipes(plan), _curves())


def link(base: str, experiment_id: str, key: str = FRONTIER) -> str:
    """The address of a saved view under the UI at `base`; the default one has the answer."""
    query = {
        "viewStateShareKey": key,
        "compareRunsMode": "CHART",
        "workflowType": "machine_learning",
    }
    return f"{base.rstrip('/')}/#/experiments/{experiment_id}/runs?{urlencode(query)}"


def _frontier() -> View:
    charts = (
        _scatter("macs", "confirm_acc1"),
        {"type": "BAR", "metricKey": "confirm_acc1", "runsCountToCompare": 100},
    )
    shown = ("confirm_acc1", "confirm_acc1_low", "confirm_acc1_high", "confirm_n", "macs")
    columns = [f"metrics.`{name}`" for name in shown]
    return View(
        FRONTIER, "Frontier (confirmed)", charts, _of_kind("study", selectedColumns=columns)
    )


def _recipes(plan: Plan) -> View:
    axes = ["arm", "budget", *_searched(plan)][:MAX_AXES]
    parallel = {
        "type": "PARALLEL",
        "selectedParams": axes,
        "selectedMetrics": ["val_acc1"],
        "showAllRuns": True,
        "runsCountToCompare": 1000,
    }
    columns = ["metrics.`val_acc1`", "metrics.`mac_ratio`", *(f"params.`{p}`" for p in axes)]
    page = _of_kind("trial", orderByKey="metrics.`val_acc1`", selectedColumns=columns)
    return View(RECIPES, "Recipes and trials", (parallel, _scatter("macs", "val_acc1")), page)


def _curves() -> View:
    charts = tuple(
        {"type": "LINE", "metricKey": m, "selectedMetricKeys": [m], "runsCountToCompare": 100}
        for m in ("val_acc1", "val_loss", "train_loss")
    )
    page = _of_kind("trial", orderByKey="metrics.`val_acc1`")
    return View(CURVES, "Training curves", charts, page)


def _searched(plan: Plan) -> list[str]:
    """What any study searches, the unconditional first: those are values of every trial."""
    dimensions = [d for study in plan.studies for d in study.space.dimensions if d.searched]
    ordered = sorted(dimensions, key=lambda d: len(d.when))
    return list(dict.fromkeys(d.path for d in ordered))


def _scatter(x: str, y: str) -> dict[str, Any]:
    axes = {
        axis: {"key": key, "type": "METRIC", "dataAccessKey": key}
        for axis, key in (("xaxis", x), ("yaxis", y))
    }
    return {"type": "SCATTER", **axes, "runsCountToCompare": 1000}


def _of_kind(kind: str, **page: Any) -> dict[str, Any]:
    return {"searchFilter": f"tags.`prunetune.kind` = '{kind}'", **page}
