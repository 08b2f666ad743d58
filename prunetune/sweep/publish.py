"""Publishes the answer of a sweep: the report, and in MLflow each study's result and network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

from prunetune.agenda import study_outcomes
from prunetune.plan import Plan
from prunetune.records.architecture import Architecture
from prunetune.records.files import StoredFile
from prunetune.records.record import Record
from prunetune.records.store import Store
from prunetune.tracking.layout import StudyResult
from prunetune.tracking.lines import EffortPoints

if TYPE_CHECKING:
    from prunetune.analysis.report import Report
    from prunetune.tracking.mlflow_store import MlflowStore
    from prunetune.tracking.models import LoadNetwork, LoggedNetwork


def publish(
    plan: Plan, store: Store, records: Mapping[str, Record], tracking: MlflowStore | None = None
) -> Report:
    """Write the report from the records, and send results, networks and report to MLflow."""
    from prunetune.analysis.page.write import write_report

    report = write_report(plan, records, store.report_folder, store)
    if tracking is not None:
        tell_answer(plan, store, records, report, tracking)
    return report


def tell_answer(
    plan: Plan,
    store: Store,
    records: Mapping[str, Record],
    report: Report,
    tracking: MlflowStore,
) -> None:
    """Send each study's result, effort and network, and the report with its plan, to MLflow."""
    tracking.study_results(study_results(report))
    tracking.efforts(
        {curve.study: EffortPoints(curve.best, curve.macs) for curve in report.efforts}
    )
    for record, load in winning_networks(plan, store, records):
        tracking.log_winner(record, load)
    files = (store.plan_file, store.sweep_file)
    kept = [file for file in files if file.exists()]
    tracking.report(store.report_folder, kept, surroundings(records.values()))


def study_results(report: Report) -> dict[str, StudyResult]:
    """Mean and interval over the confirm seeds, of studies with two or more and of `dense`."""
    results = {
        row.study: StudyResult(row.test_acc1, row.low, row.high, row.n, row.macs)
        for row in report.frontier
        if row.test_acc1 is not None
        and row.low is not None
        and row.high is not None
        and row.macs is not None
    }
    dense = report.dense
    if dense.mean is not None and dense.low is not None and dense.high is not None:
        results["dense"] = StudyResult(dense.mean, dense.low, dense.high, dense.n, dense.macs)
    return results


def surroundings(records: Iterable[Record]) -> dict[str, str]:
    """By what the records were computed: device and versions; several are listed."""
    values: dict[str, set[str]] = {}
    for record in records:
        versions = {f"versions.{name}": version for name, version in record.versions.items()}
        for name, value in {"device": record.device, "dtype": record.dtype, **versions}.items():
            if value:
                values.setdefault(name, set()).add(value)
    return {name: ", ".join(sorted(several)) for name, several in sorted(values.items())}


def winning_networks(
    plan: Plan, store: Store, records: Mapping[str, Record]
) -> Iterator[tuple[Record, LoadNetwork]]:
    """The record of each study's first confirmed network, and what loads the network."""
    for outcome in study_outcomes(plan, records).values():
        record = next(iter(outcome.confirmed), None)
        if record is None or record.architecture is None:
            continue
        weights = store.trial_folder(record.key).weights
        if weights.exists():
            yield record, partial(_load, plan, record, record.architecture, weights)


def _load(
    plan: Plan, record: Record, architecture: Architecture, weights: StoredFile
) -> LoggedNetwork:
    """A confirmed network, an example of its input, and what its user must know."""
    import torch

    from prunetune.tracking.models import LoggedNetwork
    from prunetune.workload import Workload, load_network

    info = Workload.from_json(plan.workload).info
    with weights.local() as path:
        model = load_network(architecture, path)
    facts = {
        "input": "(pixels / 255 - mean) / std, one value of mean and std for each channel",
        "mean": list(info.mean),
        "std": list(info.std),
        "trial": record.key,
        "test_acc1": record.test_acc1,
        "architecture": architecture.model_dump(mode="json"),
    }
    noise = torch.randn(1, *architecture.input_shape, generator=torch.Generator().manual_seed(0))
    return LoggedNetwork(model.eval(), noise.numpy(), facts)
