"""What MLflow is told of the answer: every study's result, and its winning network as a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from prunetune.agenda import study_outcomes
from prunetune.plan import Plan
from prunetune.records.record import Record
from prunetune.records.store import Store
from prunetune.tracking.layout import StudyResult

if TYPE_CHECKING:
    from prunetune.analysis.report import Report


def study_results(report: Report) -> dict[str, StudyResult]:
    """Means and intervals over the confirm seeds, of every study that has two and of `dense`."""
    found = {
        row.study: StudyResult(row.test_acc1, row.low, row.high, row.n, row.macs)
        for row in report.frontier
        if row.test_acc1 is not None
        and row.low is not None
        and row.high is not None
        and row.macs is not None
    }
    dense = report.dense
    if dense.mean is not None and dense.low is not None and dense.high is not None:
        found["dense"] = StudyResult(dense.mean, dense.low, dense.high, dense.n, dense.macs)
    return found


def winning_models(
    plan: Plan, store: Store, records: Mapping[str, Record]
) -> Iterator[tuple[Record, Any, Any]]:
    """(record, network in eval mode, example images) of each study's first confirmed network."""
    import torch

    from prunetune.workload import load_network

    for outcome in study_outcomes(plan, records).values():
        record = next(iter(outcome.confirmed), None)
        if record is None or record.architecture is None:
            continue
        weights = store.trial_folder(record.key).weights
        if weights.exists():
            model = load_network(record.architecture, weights.path)
            example = torch.zeros(1, *record.architecture.input_shape).numpy()
            yield record, model.eval(), example
