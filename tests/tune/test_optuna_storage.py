"""Studies in an Optuna storage agree with the records, however often they are copied."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from prunetune.plan import Plan
from prunetune.records.record import Record
from prunetune.tune.optuna_storage import KEY_ATTRIBUTE, OptunaMirror
from tests.tracking.sweeps import LR, make_plan, make_record, make_spec

STATES = {
    "completed": TrialState.COMPLETE,
    "stopped": TrialState.PRUNED,
    "infeasible": TrialState.PRUNED,
    "diverged": TrialState.FAIL,
    "failed": TrialState.FAIL,
}


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(arms={"thin": "width_scaling", "pruned": "channel_pruning"}, budgets=(0.5,))


@pytest.fixture(scope="module")
def records(plan: Plan) -> list[Record]:
    searched = [
        make_record(make_spec(plan, study, number), status)
        for study in plan.studies
        for number, status in enumerate(STATES)
    ]
    return [*searched, make_record(make_spec(plan, plan.studies[0], 0, "confirm"))]


def copied(plan: Plan, uri: str, records: list[Record], *, live: bool = False) -> None:
    mirror = OptunaMirror(plan, uri)
    if live:
        for record in reversed(records):
            mirror.on_record(record)
    else:
        mirror.sync(records)
    mirror.finish()


def held(plan: Plan, uri: str) -> dict[str, FrozenTrial]:
    names = [f"{plan.sweep} {study.id}" for study in plan.studies]
    assert sorted(optuna.get_all_study_names(uri)) == sorted(names)
    studies = [optuna.load_study(study_name=name, storage=uri) for name in names]
    trials = [trial for study in studies for trial in study.trials]
    keyed = {trial.user_attrs[KEY_ATTRIBUTE]: trial for trial in trials}
    assert len(keyed) == len(trials)
    return keyed


@pytest.mark.parametrize("live", [True, False])
def test_every_search_trial_is_there_once_as_its_record_says(
    live: bool, plan: Plan, records: list[Record], tmp_path: Path
) -> None:
    uri = f"sqlite:///{tmp_path}/new/studies.db"
    copied(plan, uri, records[:7], live=live)
    copied(plan, uri, records)
    copied(plan, uri, records)
    trials = held(plan, uri)
    searched = {record.key: record for record in records if record.phase == "search"}
    assert trials.keys() == searched.keys()
    for key, record in searched.items():
        trial = trials[key]
        assert trial.state == STATES[record.status]
        assert trial.values == ([record.val_acc1] if record.status == "completed" else None)
        for name, value in trial.params.items():
            assert value == record.config[name]
        assert LR in trial.params
        assert trial.intermediate_values == {e.epoch: e.val_acc1 for e in record.curve}
        assert trial.duration is not None
        assert trial.duration.total_seconds() == 10


def test_a_trial_that_failed_and_ran_again_is_there_as_both(
    plan: Plan, records: list[Record], tmp_path: Path
) -> None:
    uri = f"sqlite:///{tmp_path}/studies.db"
    failed = next(record for record in records if record.status == "failed")
    again = failed.model_copy(
        update={"status": "completed", "ended_at": "2026-01-02T04:00:00.000+00:00"}
    )
    for record in (failed, again, again):
        copied(plan, uri, [record])
    study = optuna.load_study(study_name=f"{plan.sweep} {failed.study}", storage=uri)
    assert [trial.state for trial in study.trials] == [TrialState.FAIL, TrialState.COMPLETE]


def test_a_storage_that_is_away_costs_one_warning_and_no_time(
    plan: Plan, records: list[Record], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="prunetune")
    (tmp_path / "studies.db").write_text("no database")
    mirror = OptunaMirror(plan, f"sqlite:///{tmp_path}/studies.db")
    begun = time.monotonic()
    for record in records:
        mirror.on_record(record)
    assert time.monotonic() - begun < 0.1
    mirror.finish()
    (message,) = [r.getMessage() for r in caplog.records if r.name.startswith("prunetune")]
    assert f"lacks {len(records) - 1} trials (file is not a database); the next run" in message
