"""The runs of a sweep in MLflow as data: their tags, parameters and metrics.

The experiment is the sweep, a parent run is a study or the dense network, a child run is a trial,
and one run holds the report. The tag `prunetune.key` identifies a run: it is a trial's key, a
study's id, or the word `dense` or `report`. Further runs are lines for charts: see `lines.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from prunetune.colors import DENSE, arm_colors
from prunetune.config.space.space import Config
from prunetune.plan import MASKED, Plan, Study
from prunetune.records.record import Epoch, Record, Status, TrialSpec
from prunetune.tracking.short_names import short_params

KEY = "prunetune.key"
KIND = "prunetune.kind"
STATUS = "prunetune.status"
STUDY = "prunetune.study"
SWEEP = "prunetune.sweep"
PLAN = "prunetune.plan"
"""Tag of the report's run: the hash of the plan that was fixed before the first trial."""
RUNNING = "running"
"""Value of the status tag while a trial has no record."""
_COLOR = "mlflow.runColor"
_COMMIT = "mlflow.source.git.commit"
NOTE = "mlflow.note.content"
DENSE_KEY = "dense"
_REPORT_KEY = "report"


@dataclass(frozen=True)
class Run:
    """A run as MLflow should show it before anything is measured."""

    key: str
    name: str
    parent: str | None = None
    """The key of its parent run."""
    tags: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class StudyResult:
    """A winner's result on fresh seeds: mean test accuracy and the ends of its interval."""

    confirm_acc1: float
    low: float
    high: float
    n: int
    macs: float
    """Mean over the confirm trials, whose architectures may differ by a few channels."""

    def metrics(self, dense_macs: int) -> dict[str, float]:
        """The result as metrics of the parent run."""
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
    """One value of one metric; `at` is in milliseconds since 1970."""

    name: str
    value: float
    step: int
    at: int


def parent_runs(plan: Plan) -> Iterator[Run]:
    """The parent run of the dense network, then the parent runs of all studies."""
    yield Run(
        DENSE_KEY,
        DENSE_KEY,
        tags=tags_of(plan, kind="study", key=DENSE_KEY, study=DENSE_KEY, arm=None),
    )
    for study in plan.studies:
        yield Run(
            study.id, study.id, tags=_study_tags(plan, study), params=_params(plan, study, {})
        )


def trial_run(plan: Plan, trial: TrialSpec | Record) -> Run:
    """The run of a trial; its spec and its record give the same run."""
    study = trial.study or DENSE_KEY
    tags = tags_of(
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
    params = _params(plan, trial, trial.config)
    if trial.phase == "search":
        params |= short_params(plan, plan.study(study), trial.config)
    return Run(trial.key, name, parent=study, tags=tags, params=params)


def report_run(plan: Plan, surroundings: Mapping[str, str] | None = None) -> Run:
    """The run that holds the report's files; `surroundings` say by what it was computed."""
    tags = tags_of(plan, kind="report", key=_REPORT_KEY)
    facts = {f"prunetune.{name}": value for name, value in (surroundings or {}).items()}
    if commit := (surroundings or {}).get("versions.commit"):
        facts[_COMMIT] = commit
    return Run(_REPORT_KEY, _REPORT_KEY, tags={**tags, **facts, PLAN: plan.fingerprint})


def curve_points(epoch: Epoch, at: int) -> list[MetricPoint]:
    """The metrics of one epoch; the step is the epoch's number, starting at 1."""
    names = ("val_acc1", "val_loss", "train_loss")
    return [MetricPoint(name, getattr(epoch, name), epoch.epoch, at) for name in names]


def record_points(record: Record) -> list[MetricPoint]:
    """All metrics of a finished trial: those of each epoch, then those of the whole trial."""
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
    """MLflow's status of a finished trial; a result such as infeasible is not a failure."""
    return "FAILED" if status in ("failed", "diverged") else "FINISHED"


def milliseconds(moment: str | None) -> int:
    """An ISO 8601 time in milliseconds since 1970, as MLflow counts it; 0 if it is None."""
    return 0 if moment is None else round(1000 * datetime.fromisoformat(moment).timestamp())


def _study_tags(plan: Plan, study: Study) -> dict[str, str]:
    note = study.infeasible or (
        f"MACs and parameters count the weights that are left: {MASKED}" if study.masked else None
    )
    return tags_of(
        plan,
        kind="study",
        key=study.id,
        study=study.id,
        arm=study.arm,
        budget=study.budget,
        method=study.method,
        status="infeasible" if study.infeasible else None,
    ) | ({NOTE: note} if note else {})


def tags_of(plan: Plan, **facts: object) -> dict[str, str]:
    """Facts as tags. A fact `arm` adds the arm's colour; arm None is the dense network."""
    if "arm" in facts:
        color = arm_colors(plan.arms()).get(str(facts["arm"]), DENSE)
        facts = {**facts, "arm": facts["arm"] or dense_arm(plan)}
    tags = {f"prunetune.{name}": str(value) for name, value in facts.items() if value is not None}
    return tags | {SWEEP: plan.sweep} | ({_COLOR: color} if "arm" in facts else {})


def dense_arm(plan: Plan) -> str:
    """What the dense network is called where arms have names."""
    return "dense network" if "dense" in plan.arms() else "dense"


def _params(plan: Plan, trial: TrialSpec | Record | Study, config: Config) -> dict[str, str]:
    """The config by dotted name, arm and budget; values are written by str(), as MLflow does."""
    facts = {"arm": trial.arm or dense_arm(plan), "budget": trial.budget}
    given = {name: value for name, value in facts.items() if value is not None}
    return {name: str(value) for name, value in {**config, **given}.items()}
