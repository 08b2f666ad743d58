"""Takes a sweep from its file to its report: `plan_sweep`, `run_sweep`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prunetune.config.file.model import SweepSpec
from prunetune.config.file.parse import SweepSource, parse, source_name
from prunetune.config.file.shipped import sweep_file
from prunetune.config.problems.errors import Problems, SpecError
from prunetune.messages import kept_in, on_console
from prunetune.plan import Plan
from prunetune.records.record import Record
from prunetune.records.store import Store
from prunetune.records.user_path import user_path
from prunetune.registry import check_imported_from, make_importable, plugin_folders
from prunetune.sweep.first_words import announced, asked
from prunetune.sweep.last_words import machine_losses, missing_trials, next_steps
from prunetune.sweep.mlflow_link import link_told
from prunetune.sweep.plan_file import load_plan, write_plan
from prunetune.sweep.rough_time import seconds_on_cores
from prunetune.sweep.tracked import mirrored, tracked
from prunetune.sweep.workload_facts import workload_facts

if TYPE_CHECKING:
    from prunetune.analysis.report import Report


@dataclass(frozen=True)
class SweepOutcome:
    """How a sweep ended."""

    report: Report
    records: Mapping[str, Record]
    lost: int
    """Trials that can never run, because a trial that they start from failed."""
    limited: bool
    """Whether `limits` ended the sweep with work left."""
    folder: str
    """The report's folder, or its address in an object store."""
    last_words: tuple[str, ...] = ()
    """What is doubtful because machines failed, and what is missing because hours are used up."""
    next_steps: tuple[str, ...] = ()
    """Where the answer lies, and commands that show more of it."""

    @property
    def failed(self) -> int:
        """How many trials failed after their retries."""
        return sum(record.status == "failed" for record in self.records.values())


def plan_sweep(source: SweepSource, *, overrides: Sequence[str] = ()) -> Plan:
    """The plan of a sweep: its studies, their epochs and MACs. Trains nothing, opens no data.

    Raises:
        SpecError: the sweep is wrong; it holds every problem.

    Example:
        >>> plan = plan_sweep("quickstart")
        >>> [study.id for study in plan.studies][:2]
        ['thin@0.5 marginal', 'thin@0.35 marginal']
    """
    return _bound(source, *_parsed(source, overrides))


def run_sweep(
    source: SweepSource,
    *,
    storage: str | Path = "runs",
    address: str | None = None,
    overrides: Sequence[str] = (),
    retry_failed: bool = False,
    offline: bool = False,
) -> SweepOutcome:
    """Run a sweep, or continue one, until nothing is left to run; then write its report.

    Raises:
        SpecError: the file is wrong; the error holds every problem.
        GrowthError: the sweep has begun, and this file asks another question.
        StorageError: the storage is full, away or locked.
        ClusterError: the Ray cluster does not answer or refuses us.
        DataMissingError: the data set's files are missing.
        CorruptDataError: an image cannot be read.
        Interrupted: a signal came; the same call continues the sweep.

    Example:
        >>> outcome = run_sweep("quickstart", storage="runs")
        >>> [(pair.a, pair.b, pair.winner) for pair in outcome.report.frontiers]
        [('thin', 'pruned', 'pruned'), ('pruned', 'reinit', 'pruned')]
    """
    spec, problems = _parsed(source, overrides)
    if not problems.found:
        _say(asked(spec))  # before torch and Ray are imported, which takes seconds
    from prunetune.analysis.page.terminal import text_table
    from prunetune.sweep.publish import publish
    from prunetune.tune.console import SweepConsole
    from prunetune.tune.ray.tuner import run

    plan = _bound(source, spec, problems)
    facts = workload_facts(plan)
    store = Store(storage, plan.sweep)
    if data := os.environ.get("PRUNETUNE_DATA"):  # workers run in other folders
        os.environ["PRUNETUNE_DATA"] = str(user_path(data))
    about = f"sweep {store.sweep}"
    with on_console(), store.lock(), kept_in(store.messages_log, about):
        write_plan(store, spec, plan)
        written = load_plan(store)
        known = {"growth": written.growth, "hash": written.hash}
        plan = plan.model_copy(update=known)  # for the report
        if retry_failed:
            for key, record in store.records().items():
                if record.status == "failed":
                    store.set_aside(key)
                    store.trial_folder(key).breaks.delete()
        console = SweepConsole(plan, store)
        seconds = None if address else _rough_seconds(plan)
        console.say([*facts.sentences(), *announced(plan, store, seconds)])
        with (
            tracked(plan, store) as tracking,
            link_told(tracking, plan.sweep, storage, console.say) as mlflow,
            mirrored(plan, store) as mirror,
        ):
            observers: list[Any] = [console, *filter(None, (tracking, mirror))]
            limited = run(
                plan,
                store,
                address=address,
                observers=observers,
                offline=offline,
                plugin_folders=plugin_folders(plan.plugins),
            )
            records = store.records()
            report = publish(plan, store, records, tracking)
            console.say(["", *text_table(report).splitlines(), ""])  # MLflow may take a minute yet
    steps = next_steps(report, plan.sweep, storage, store.report_folder, mlflow.address)
    return replace(_outcome(plan, store, records, report, limited=limited), next_steps=tuple(steps))


def _say(sentences: Iterable[str]) -> None:
    """Print the sentences; a full disk or a reader that left stops nobody."""
    with suppress(OSError):
        print("\n".join(sentences), flush=True)


def _rough_seconds(plan: Plan) -> float | None:
    """Very rough seconds of the plan on this machine's CPU cores; None where it has a GPU."""
    import torch

    return None if torch.cuda.is_available() else seconds_on_cores(plan, os.cpu_count() or 1)


def _outcome(
    plan: Plan, store: Store, records: Mapping[str, Record], report: Report, *, limited: bool
) -> SweepOutcome:
    from prunetune.agenda import Agenda, Trials, closed

    agenda = Agenda(plan, Trials(records, store.trials(without=records)))
    missing = [missing_trials(agenda, plan.limits["hours"])] if limited else []
    return SweepOutcome(
        report,
        records,
        lost=sum(job.fault for job in closed(agenda)),
        limited=limited,
        folder=str(store.report_folder),
        last_words=(*machine_losses(agenda), *missing),
    )


def _parsed(source: SweepSource, overrides: Sequence[str]) -> tuple[SweepSpec, Problems]:
    spec, problems = parse(source, overrides)
    if spec is None:
        raise SpecError(problems.found, source_name(source))
    return spec, problems


def _bound(source: SweepSource, spec: SweepSpec, problems: Problems) -> Plan:
    from prunetune.bind import bind

    name = source_name(source)
    if not isinstance(source, str | Path):
        return bind(spec, problems, name)
    folder = sweep_file(source).absolute().parent  # code of the user's may lie there
    make_importable([str(folder)])
    plan = bind(spec, problems, name)
    check_imported_from(folder, plan.plugins)
    return plan
