"""Other sweeps of a storage: which of them looked at the same test images, and how often."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prunetune.analysis.evidence.other_sweeps import OtherSweep, other_sweeps
from prunetune.plan import Plan
from prunetune.records.store import Store
from tests.analysis.sweeps import make_plan, noisy, run


def stored(storage: Path, name: str, plan: Plan) -> Store:
    """A sweep of this name with its plan and all its records."""
    store = Store(storage, name)
    plan = plan.model_copy(update={"sweep": name})
    content = {"hash": "", "growth": [], "spec": {}, "plan": plan.model_dump(mode="json")}
    store.plan_file.write_json(content)
    for record in run(plan, noisy({"thin": 0.9, "pruned": 0.9})).values():
        store.write_record(record)
    return store


@pytest.fixture
def plan() -> Plan:
    """Two arms at one budget; 3 confirmed networks an arm and 4 dense ones."""
    return make_plan(budgets=(0.5,), seeds=3, trials=1)


def test_all_networks_on_the_same_data_are_counted(tmp_path: Path, plan: Plan) -> None:
    store = stored(tmp_path, "here", plan)
    stored(tmp_path, "first", plan)
    stored(tmp_path, "foreign", plan.model_copy(update={"data_key": "other"}))
    (found,) = other_sweeps(store, plan.model_copy(update={"sweep": "here"}))
    assert (found.sweep, found.tested) == ("first", 10)
    assert {epochs: len(values) for epochs, values in found.dense_lengths.items()} == {20: 4}


def test_a_sweep_in_a_folder_of_another_name_is_no_other_sweep(tmp_path: Path, plan: Plan) -> None:
    store = stored(tmp_path, "2026-11-29-here", plan)
    assert other_sweeps(store, plan.model_copy(update={"sweep": "here"})) == ()


@pytest.mark.parametrize(
    ("theirs", "same"),
    [
        ("cifar10", True),
        ({"cifar10": {"val_fraction": 0.2, "train_limit": 99}}, True),
        ({"cifar10": {"root": "elsewhere"}}, False),
        ("cifar100", False),
    ],
)
def test_another_split_of_the_training_images_has_the_same_test_images(
    tmp_path: Path, plan: Plan, theirs: object, same: bool
) -> None:
    ours = plan.model_copy(update={"workload": {"dataset": "cifar10"}})
    other = {"workload": {"dataset": theirs}, "data_key": "other"}
    store = stored(tmp_path, "here", ours)
    stored(tmp_path, "other", plan.model_copy(update=other))
    found = other_sweeps(store, ours.model_copy(update={"sweep": "here"}))
    assert [sweep.sweep for sweep in found] == (["other"] if same else [])


def test_a_damaged_sweep_is_left_out(tmp_path: Path, plan: Plan) -> None:
    store = stored(tmp_path, "here", plan)
    for name, content in (("half", b"{"), ("empty", b"{}"), ("list", json.dumps([]).encode())):
        Store(tmp_path, name).plan_file.write(content)
    damaged = stored(tmp_path, "damaged", plan)
    damaged.record_file("0").write(b"{")
    assert other_sweeps(store, plan.model_copy(update={"sweep": "here"})) == ()


def test_another_dense_network_tells_nothing_of_ours(tmp_path: Path, plan: Plan) -> None:
    store = stored(tmp_path, "here", plan)
    loaded = plan.dense.model_copy(update={"source": "checkpoint"})
    stored(tmp_path, "loaded", plan.model_copy(update={"dense": loaded}))
    found = other_sweeps(store, plan.model_copy(update={"sweep": "here"}))
    assert found == (OtherSweep(sweep="loaded", tested=10),)
