"""What `plan` says of time, of comparisons, and of studies that cannot run."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from prunetune.plan import Plan
from prunetune.sweep import plan_sweep
from prunetune.sweep.forecast import Forecast, forecast
from prunetune.sweep.rough_time import CPU_CORE, DEVICE_CLASSES, rough_times, seconds_on_cores

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
COMMITTED = sorted(path.parent for path in EXPERIMENTS.glob("20*/plan.json"))


def plan_of(folder: Path) -> Plan:
    return Plan.model_validate(json.loads((folder / "plan.json").read_text("utf-8"))["plan"])


@pytest.mark.parametrize("folder", COMMITTED, ids=lambda folder: folder.name)
def test_epochs_on_a_core_were_measured_within_a_factor_of_three(folder: Path) -> None:
    plan = plan_of(folder)
    seconds: defaultdict[int, list[float]] = defaultdict(list)
    for path in (folder / "records").glob("*.json"):
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["curve"] and record["device"] == "cpu" and record["threads"] == 1:
            study = plan.study(record["study"]) if record["study"] else None
            macs = plan.computed_macs(study) if study else plan.dense.macs
            seconds[macs] += (epoch["seconds"] for epoch in record["curve"])
    assert seconds
    ratios = {macs: median(each) / CPU_CORE.epoch(plan, macs) for macs, each in seconds.items()}
    assert all(1 / 3 < ratio < 3 for ratio in ratios.values()), ratios


def test_more_macs_take_longer_and_more_cores_less() -> None:
    plan = plan_of(COMMITTED[0])
    for device in DEVICE_CLASSES:
        times = [device.epoch(plan, macs) for macs in (10**6, 10**8, 10**10)]
        assert times == sorted(times)
    whole = {row.device: row.seconds for row in rough_times(plan)}
    assert seconds_on_cores(plan, 1) == whole[CPU_CORE.name]
    assert seconds_on_cores(plan, 4) == pytest.approx(whole[CPU_CORE.name] / 4)


FILE: dict[str, Any] = {
    "name": "small", "workload": {"model": "resnet14", "dataset": "digits"},
    "budgets": [0.5, 0.02],
    "arms": {
        "thin": {"method": "width_scaling"},
        "depth": {"method": {"width_scaling": {"by": "depth"}}},
        "tied": {"method": {"reinit": {"from": "depth"}}},
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Forecast:
    return forecast(plan_sweep(FILE), tmp_path_factory.mktemp("empty"))


def test_comparisons_that_cannot_take_place_are_counted_apart(told: Forecast) -> None:
    lost = {row.study for row in told.rows if row.infeasible}
    assert lost == {"depth@0.02 scratch_b", "tied@0.02 scratch_b"}
    assert {each.budget for each in told.impossible} == {0.02}
    assert len(told.impossible) == 3
    assert len(told.family) == 3
    assert {*told.family, *told.impossible} == {*plan_sweep(FILE).family}


def test_what_to_do_about_a_study_that_cannot_run_lets_it_run(told: Forecast) -> None:
    cures = {row.arm: row.cure for row in told.rows if row.infeasible}
    assert all(row.cure is None for row in told.rows if not row.infeasible)
    assert "it stands on depth@0.02 scratch_b" in (cures["tied"] or "")
    share = float((cures["depth"] or "").split("a budget of ")[1].split()[0])
    plan = plan_sweep({**FILE, "budgets": [share], "tolerance": 0.01})
    assert [study.id for study in plan.studies if study.infeasible] == []


def test_an_unknown_time_has_a_rough_one_beside_it(told: Forecast) -> None:
    assert told.seconds is None
    assert [row.device for row in told.rough] == [device.name for device in DEVICE_CLASSES]
