"""Published results for the network and data set of a sweep: a layer to look at, never a claim.

They stem from other training recipes, other seeds and often from the epoch that is best on the test
set, so no verdict refers to them.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from prunetune.plan import Plan

_IMAGENET_CLASSES, _IMAGENET_SIZE = 1000, 224


@dataclass(frozen=True)
class Published:
    """One published network: its accuracy in [0, 1], and how many times fewer MACs it has."""

    method: str
    base: float | None
    """Accuracy of the dense network that it was made from, where the source states it."""
    accuracy: float
    ratio: float
    macs: float
    """The MACs that this ratio means for the dense network of the sweep."""
    source: str

    @property
    def base_words(self) -> str:
        """The dense network's accuracy: `a base of 93.53 %`."""
        return "a base not stated" if self.base is None else f"a base of {100 * self.base:.2f} %"


def published_results(plan: Plan) -> tuple[Published, ...]:
    """The published results for the model and the data set of a plan, largest networks first."""
    model, dataset = str(plan.dense.architecture.get("model", "")), data_set(plan)
    found = [
        Published(
            row["method"],
            float(row["base"]) / 100 if row["base"] else None,
            float(row["accuracy"]) / 100,
            float(row["ratio"]),
            plan.dense.macs / float(row["ratio"]),
            row["source"],
        )
        for row in _table()
        if (row["model"], row["dataset"]) == (model, dataset)
    ]
    return tuple(sorted(found, key=lambda p: p.ratio))


def data_set(plan: Plan) -> str:
    """The name of the data set; `imagenet` for a folder of 1000 classes shown at 224 pixels."""
    named: Any = plan.workload.get("dataset", "")
    name = str(next(iter(named), "")) if isinstance(named, dict) else str(named)
    shape = plan.dense.architecture.get("input_shape", (0, 0, 0))
    classes = plan.dense.architecture.get("classes")
    if name == "image_folder" and (classes, shape[-1]) == (_IMAGENET_CLASSES, _IMAGENET_SIZE):
        return "imagenet"
    return name


@cache
def _table() -> list[dict[str, str]]:
    text = (files("prunetune.analysis.page") / "literature.csv").read_text()
    return list(csv.DictReader(text.splitlines()))
