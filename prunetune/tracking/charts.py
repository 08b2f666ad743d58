"""Charts of MLflow's UI as it keeps them in a view: lines, scatter plots, parallel coordinates."""

from __future__ import annotations

from typing import Any

MAX_AXES = 12
"""A parallel-coordinates chart with more axes cannot be read."""


def line(
    metric: str,
    *,
    log_steps: bool = False,
    highest: float | None = None,
    steps_of: str | None = None,
    runs: int = 100,
) -> dict[str, Any]:
    """A metric as one line for each run.

    Args:
        metric: the metric; its name is the chart's title.
        log_steps: whether the steps are drawn on a logarithmic axis.
        highest: the upper end of the vertical axis, which begins at 0; None: as the values are.
        steps_of: the metric that is the horizontal axis instead of the step.
        runs: how many runs are drawn at most, in the order of the view.
    """
    return {
        "type": "LINE",
        "metricKey": metric,
        "selectedMetricKeys": [metric],
        "lineSmoothness": 0,
        "useGlobalLineSmoothing": False,
        "useGlobalXaxisKey": False,
        "xAxisKey": "metric" if steps_of else "step",
        "selectedXAxisMetricKey": steps_of or "",
        "xAxisScaleType": "log" if log_steps else "linear",
        **({} if highest is None else {"range": {"yMin": 0, "yMax": highest}}),
        "runsCountToCompare": runs,
    }


def parallel(params: list[str]) -> dict[str, Any]:
    """Arm, budget, parameters and validation accuracy of each run as a line across their axes."""
    return {
        "type": "PARALLEL",
        "selectedParams": ["arm", "budget", *params][:MAX_AXES],
        "selectedMetrics": ["val_acc1"],
        "showAllRuns": True,
        "runsCountToCompare": 1000,
    }


def scatter(x: str, y: str) -> dict[str, Any]:
    """Two metrics as one point for each run."""
    drawn = {
        axis: {"key": key, "type": "METRIC", "dataAccessKey": key}
        for axis, key in (("xaxis", x), ("yaxis", y))
    }
    return {"type": "SCATTER", **drawn, "runsCountToCompare": 1000}
