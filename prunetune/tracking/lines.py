"""Runs that are lines in MLflow's UI: the frontier of an arm, and the search effort of a study.

The UI draws points of runs on linear axes alone, but a metric against its step on a logarithmic
axis too. So the step of a point on a frontier is the MACs of its network, and the step of a point
of search effort is a number of trials.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from prunetune.plan import Plan, Study
from prunetune.tracking.layout import DENSE_KEY, MetricPoint, Run, StudyResult, dense_arm, tags_of

FRONTIER_METRIC = "test accuracy by MACs"
"""Test accuracy on fresh seeds; the step is the MACs. A chart bears the name of its metric."""
EFFORT_METRIC, EFFORT_MACS = "best_val_acc1", "search_macs"
"""Best validation accuracy after as many search trials as the step says, and their MACs."""


@dataclass(frozen=True)
class EffortPoints:
    """The search effort of one study: values after 1, 2, … trials."""

    best: tuple[float, ...]
    """The best validation accuracy in [0, 1]."""
    macs: tuple[float, ...] = ()
    """The MACs that so many trials have cost."""


@dataclass(frozen=True)
class Line:
    """A run that is drawn as a line: all of its points."""

    run: Run
    points: tuple[MetricPoint, ...] = field(default=())


def frontier_lines(plan: Plan, results: Mapping[str, StudyResult]) -> Iterator[Line]:
    """One line for each arm, matching and replicate that has results, and one for `dense`."""
    points: dict[str, list[tuple[int, float]]] = {}
    arms: dict[str, str | None] = {}
    for study in plan.studies:
        if result := results.get(study.id):
            name = line_name(study)
            arms[name] = study.arm
            points.setdefault(name, []).append((round(result.macs), result.confirm_acc1))
    if dense := results.get(DENSE_KEY):
        arms[dense_arm(plan)] = None
        points[dense_arm(plan)] = [(round(dense.macs), dense.confirm_acc1)]
    for name, arm in arms.items():
        tags = tags_of(plan, kind="frontier", key=f"frontier {name}", arm=arm)
        line = sorted(points[name])
        yield Line(
            Run(f"frontier {name}", name, tags=tags),
            tuple(MetricPoint(FRONTIER_METRIC, accuracy, macs, 0) for macs, accuracy in line),
        )


def effort_lines(plan: Plan, efforts: Mapping[str, EffortPoints]) -> Iterator[Line]:
    """One line for each study of which the search effort is known."""
    for study in plan.studies:
        if effort := efforts.get(study.id):
            key = f"effort {study.id}"
            facts = {"study": study.id, "arm": study.arm, "budget": study.budget}
            tags = tags_of(plan, kind="effort", key=key, **facts)
            named = {EFFORT_METRIC: effort.best, EFFORT_MACS: effort.macs}
            points = tuple(
                MetricPoint(name, value, trials, 0)
                for name, values in named.items()
                for trials, value in enumerate(values, 1)
            )
            yield Line(Run(key, study.id, parent=study.id, tags=tags), points)


def line_name(study: Study) -> str:
    """The study's id without its budget: `arm[ matching][ r2]`."""
    _, _, rest = study.id.removeprefix(f"{study.arm}@").partition(" ")
    return f"{study.arm} {rest}".rstrip()
