"""A sweep from its file to its report: where plan, Ray, MLflow and the analysis meet."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prunetune.config.file.growth import GrowthError, growth
from prunetune.config.file.model import SweepSpec
from prunetune.config.file.parse import check, parse
from prunetune.config.file.yaml import dump
from prunetune.config.problems.errors import SpecError
from prunetune.plan import Plan
from prunetune.records.files import CorruptFileError, StoredFile
from prunetune.records.key import digest
from prunetune.records.record import Record
from prunetune.records.record_builder import now
from prunetune.records.store import Store, sweep_names

if TYPE_CHECKING:
    import pandas as pd

    from prunetune.analysis.report import Report
    from prunetune.tracking.mlflow_store import MlflowStore

Source = str | Path | SweepSpec
"""A sweep file, or a spec built in Python."""


class NoSweepError(LookupError):
    """There is no sweep of that name."""

    exit_code = 2


@dataclass(frozen=True)
class SweepOutcome:
    """How a sweep ended."""

    report: Report
    records: Mapping[str, Record]
    lost: int
    """Trials that can never run, since what they stand on failed."""
    limited: bool
    """Whether `limits` ended it with work left."""
    folder: Path
    """Where the report lies."""

    @property
    def failed(self) -> int:
        """Trials that failed after their retries."""
        return sum(record.status == "failed" for record in self.records.values())


def plan_sweep(source: Source, *, overrides: Sequence[str] = ()) -> Plan:
    """The plan of a sweep: its studies, their epochs and MACs. Trains nothing, opens no data.

    Raises:
        SpecError: the sweep is wrong; it holds every problem.

    Example:
        >>> plan = plan_sweep("quickstart")
        >>> [study.id for study in plan.studies][:2]
        ['thin@0.6 scratch_b', 'thin@0.4 scratch_b']
    """
    return _bound(source, overrides)[1]


def run_sweep(
    source: Source,
    *,
    storage: str | Path = "runs",
    address: str | None = None,
    overrides: Sequence[str] = (),
    retry_failed: bool = False,
    offline: bool = False,
) -> SweepOutcome:
    """Run a sweep, or go on with it, until nothing is due; write its report.

    Raises:
        SpecError, GrowthError: the file is wrong, or asks another question than the one begun.
        StorageError, ClusterError, DataMissingError: the surroundings failed.
        Interrupted: by a signal; the same call goes on from there.

    Example:
        >>> outcome = run_sweep("quickstart", storage="runs")
        >>> [(v.budget, v.verdict) for v in outcome.report.verdicts]
        [(0.6, 'undecided'), (0.4, 'undecided'), (0.25, 'undecided')]
    """
    from prunetune import tune
    from prunetune.agenda import Agenda, Trials, closed

    spec, plan = _bound(source, overrides)
    store = Store(storage, plan.sweep)
    if data := os.environ.get("PRUNETUNE_DATA"):  # workers have other working directories
        os.environ["PRUNETUNE_DATA"] = str(Path(data).absolute())
    with store.lock():
        write_plan(store, spec, plan)
        if retry_failed:
            for key, record in store.records().items():
                if record.status == "failed":
                    store.set_aside(key)
        tracking = open_tracking(plan, store)
        observers: list[Any] = [tune.SweepConsole(plan, store), *([tracking] if tracking else [])]
        if tracking:
            tracking.sync(store.records().values())
        outcome = tune.run(plan, store, address=address, observers=observers, offline=offline)
        report = publish(plan, store, tracking)
    agenda = Agenda(plan, Trials(outcome.records, outcome.dealt))
    lost = sum(job.fault for job in closed(agenda))
    return SweepOutcome(report, outcome.records, lost, outcome.limited, store.report_folder.path)


def _bound(source: Source, overrides: Sequence[str]) -> tuple[SweepSpec, Plan]:
    from prunetune.bind import bind

    if isinstance(source, SweepSpec):
        return source, bind(source, check(source))
    spec, problems = parse(source, overrides)
    if spec is None:
        raise SpecError(problems.found, str(source))
    return spec, bind(spec, problems, str(source))


def write_plan(store: Store, spec: SweepSpec, plan: Plan) -> None:
    """Write what will run before it runs; a sweep that has begun may only grow.

    Raises GrowthError if the sweep under this storage asks something else.
    """
    tree = spec.model_dump(mode="json")
    grown: list[dict[str, Any]] = []
    if store.plan_file.exists():
        with _intact(store.plan_file):
            before = json.loads(store.plan_file.read())
            grown = before["growth"]
            begun = SweepSpec.model_validate(before["spec"])  # new fields have their default
        changes = growth(begun.model_dump(mode="json"), tree)
        _same_data(before["plan"], plan)
        if changes:
            grown = [*grown, {"at": now(), "hash": before["hash"], "changes": changes}]
    facts = plan.model_dump(mode="json", by_alias=True)
    content = {"hash": digest(facts), "growth": grown, "spec": tree, "plan": facts}
    store.sweep_file.write(dump(tree).encode())
    store.plan_file.write_json(content)


def _same_data(before: dict[str, Any], plan: Plan) -> None:
    """The file may say the same and its data be others; GrowthError where they are."""
    pairs = {
        "workload.dataset": (before["data_key"], plan.data_key),
        "workload.dense": (before["dense"]["sha256"], plan.dense.sha256),
    }
    changed = [path for path, (then, now_) in pairs.items() if then != now_]
    if changed:
        raise GrowthError([f"{path}: other files than it began with" for path in changed])


def load_plan(store: Store) -> Plan:
    """The plan of a sweep that has begun; NoSweepError names what is there instead."""
    if not store.plan_file.exists():
        known = sweep_names(store.storage)
        there = f"there are: {', '.join(known)}" if known else "there is none"
        raise NoSweepError(f"no sweep {store.sweep!r} under {store.storage}; {there}")
    with _intact(store.plan_file):
        content = json.loads(store.plan_file.read())
        return Plan.model_validate({**content["plan"], "growth": content["growth"]})


@contextmanager
def _intact(file: StoredFile) -> Iterator[None]:
    """Name the file where its content is not what prunetune wrote."""
    try:
        yield
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptFileError(f"{file.path} is not a plan of prunetune: {error}") from error


def load_records(sweep: str, storage: str | Path = "runs") -> pd.DataFrame:
    """The records of a sweep as a table: one row a trial, facts and config by dotted name.

    Curves are left out.

    Raises:
        NoSweepError: the storage has no sweep of that name.

    Example:
        >>> records = load_records("quickstart")
        >>> records.query("phase == 'confirm'").groupby("arm")["test_acc1"].mean()
    """
    import pandas as pd

    from prunetune.analysis.page.csv_tables import facts

    store = Store(storage, sweep)
    if not store.exists():
        load_plan(store)
    records = store.records().values()
    return pd.DataFrame([facts(record) | record.config for record in records])


def open_tracking(plan: Plan, store: Store) -> MlflowStore | None:
    """The MLflow store that the sweep asks for; None for `uri: none`."""
    from prunetune.tracking.mlflow_store import MlflowStore

    uri = plan.tracking["uri"]
    if uri == "none":
        return None
    return MlflowStore(plan, uri, store.mlflow_folder, plan.tracking["experiment"])


def publish(plan: Plan, store: Store, tracking: MlflowStore | None = None) -> Report:
    """Write the report from the records, and tell MLflow the answer."""
    from prunetune.analysis.page.write import write_report

    records = store.records()
    report = write_report(plan, records, store.report_folder)
    if tracking is not None:
        from prunetune.sweep.publish import study_results, winning_models

        tracking.study_results(study_results(report))
        for record, model, example in winning_models(plan, store, records):
            tracking.log_winner(record, model, example)
        tracking.report(store.report_folder.path)
        tracking.close()
    return report
