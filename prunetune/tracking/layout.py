"""What a sweep looks like in MLflow, as data: runs with their tags, parameters and metrics.

experiment = sweep, parent run = study (and one for the dense network), child run = trial, and one
run for the report. A run is known by its `prunetune.key` tag: a trial's key, a study's id, or the
word `dense` or `report`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from prunetune.colors import DENSE, arm_colors
from prunetune.config.space.space import Config
from prunetune.plan import MASKED, Plan, Study
from prunetune.records.record import Epoch, Record, Status, TrialSpec

KEY = "prunetune.key"
KIND = "prunetune.kind"
STATUS = "prunetune.status"
STUDY = "prunetune.study"
SWEEP = "prunetune.sweep"
RUNNING = "running"
"""The status of a trial that has no record yet."""
COLOR = "mlflow.runColor"
NOTE = "mlflow.note.content"
DENSE_KEY = "dense"
REPORT_KEY = "report"


@dataclass(frozen=True)
class Run:
    """A run as it should stand in MLflow, before anything is measured."""

    key: str
    name: str
    parent: str | None = None
    """The key of its parent run."""
    tags: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class StudyResult:
    """A study's winner on fresh seeds: mean test accuracy and the ends of its interval."""

    confirm_acc1: float
    low: float
    high: float
    n: int
    macs: float
    """Mean over the confirm trials: their architectures may differ by a few channels."""

    def metrics(self, dense_macs: int) -> dict[str, float]:
        """The metrics of the parent run."""
        return {
            "confirm_acc1": self.confirm_acc1,
            "confirm_acc1_low": self.low,
            "confirm_acc1_high": self.high,
            "confirm_n": self.n,
            "macs": self.macs,
            "mac_ratio": self.macs / dense_macs,
        }


@dataclass(frozen=True)
class MetricPoint:
    """One value of one metric; `at` in milliseconds since 1970."""

    name: str
    value: float
    step: int
    at: int


def parent_runs(plan: Plan) -> Iterator[Run]:
    """The parent run of the dense network, then those of all studies."""
    yield Run(
        DENSE_KEY,
        DENSE_KEY,
        tags=_tags(plan, kind="study", key=DENSE_KEY, study=DENSE_KEY, arm=None),
    )
    for study in plan.studies:
        yield Run(study.id, study.id, tags=_study_tags(plan, study), params=_params(study, {}))


def trial_run(plan: Plan, trial: TrialSpec | Record) -> Run:
    """The run of a trial, the same from what was dealt and from what came of it."""
    study = trial.study or DENSE_KEY
    tags = _tags(
        plan,
        kind="trial",
        key=trial.key,
        study=study,
        phase=trial.phase,
        arm=trial.arm,
        budget=trial.budget,
        method=trial.method,
        criterion=trial.config.get("method.criterion"),
        seed=trial.seed,
    )
    label = f"#{trial.number}" if trial.phase == "search" else f"{trial.phase} {trial.seed}"
    name = label if trial.phase == "dense" else f"{study} {label}"
    return Run(trial.key, name, parent=study, tags=tags, params=_params(trial, trial.config))


def report_run(plan: Plan) -> Run:
    """The run that holds the report's files."""
    return Run(REPORT_KEY, REPORT_KEY, tags=_tags(plan, kind="report", key=REPORT_KEY))


def curve_points(epoch: Epoch, at: int) -> list[MetricPoint]:
    """The metrics of one epoch; the step is the epoch's number, from 1."""
    names = ("val_acc1", "val_loss", "train_loss")
    return [MetricPoint(name, getattr(epoch, name), epoch.epoch, at) for name in names]


def record_points(record: Record) -> list[MetricPoint]:
    """All metrics of a finished trial: its curve, then what is said once."""
    started = milliseconds(record.started_at)
    points, elapsed = [], 0.0
    for epoch in record.curve:
        elapsed += epoch.seconds
        points += curve_points(epoch, started + round(1000 * elapsed))
    ratio = None if record.macs is None else record.macs / record.dense_macs
    once = {
        "macs": record.macs,
        "params": record.params,
        "mac_ratio": ratio,
        "train_macs": record.train_macs.total,
        "wall_s": record.wall_s.get("total"),
        "test_acc1": record.test_acc1,
    }
    ended = milliseconds(record.ended_at)
    return points + [MetricPoint(k, v, 0, ended) for k, v in once.items() if v is not None]


def run_status(status: Status) -> str:
    """MLflow's word for the end of a trial: what is a finding of the sweep is no failure."""
    return "FAILED" if status in ("failed", "diverged") else "FINISHED"


def milliseconds(moment: str | None) -> int:
    """An ISO 8601 moment as MLflow counts it: milliseconds since 1970; 0 where it is unknown."""
    return 0 if moment is None else round(1000 * datetime.fromisoformat(moment).timestamp())


def _study_tags(plan: Plan, study: Study) -> dict[str, str]:
    note = study.infeasible or (
        f"MACs and parameters count the weights that are left: {MASKED}" if study.masked else None
    )
    return _tags(
        plan,
        kind="study",
        key=study.id,
        study=study.id,
        arm=study.arm,
        budget=study.budget,
        method=study.method,
        status="infeasible" if study.infeasible else None,
    ) | ({NOTE: note} if note else {})


def _tags(plan: Plan, **facts: object) -> dict[str, str]:
    """Facts as tags; with a fact `arm` also the colour of that arm (None: the dense network)."""
    tags = {f"prunetune.{name}": str(value) for name, value in facts.items() if value is not None}
    tags[SWEEP] = plan.sweep
    if "arm" in facts:
        tags[COLOR] = arm_colors(plan.arms()).get(str(facts["arm"]), DENSE)
    return tags


def _params(trial: TrialSpec | Record | Study, config: Config) -> dict[str, str]:
    """The dotted config, arm and budget, each written as MLflow itself would: by str()."""
    facts = {"arm": trial.arm, "budget": trial.budget}
    given = {name: value for name, value in facts.items() if value is not None}
    return {name: str(value) for name, value in {**config, **given}.items()}
