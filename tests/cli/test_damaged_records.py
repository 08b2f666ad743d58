"""One damaged record: looking at a sweep shows the rest and names it, `sweep` stops before it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prunetune.records.key import digest
from prunetune.records.record import Record
from prunetune.records.store import Store
from tests.analysis.sweeps import make_plan, noisy, run
from tests.cli.command import prunetune


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made, plan = Store(tmp_path, "s"), make_plan(budgets=(0.5,), sweep="s", seeds=2)
    facts = plan.model_dump(mode="json", by_alias=True)
    made.plan_file.write_json({"hash": digest(facts), "growth": [], "spec": {}, "plan": facts})
    for record in run(plan, noisy({"thin": 0.93, "pruned": 0.94})).values():
        made.write_record(record)
    return made


def one(store: Store, phase: str) -> Record:
    return next(record for record in store.records().values() if record.phase == phase)


@pytest.mark.parametrize("phase", ["dense", "search", "confirm"])
def test_the_rest_is_shown_and_the_file_is_named(store: Store, phase: str) -> None:
    file = store.record_file(one(store, phase).key)
    file.write(file.read()[:-20])
    shown = prunetune("status", store.root, "--json")
    assert (shown.returncode, str(file) in shown.stderr) == (3, True)
    assert 0 < json.loads(shown.stdout)["done"] <= len(store.records([]))
    assert len(json.loads(shown.stdout)["damaged"]) == 1
    told = prunetune("report", store.root)
    assert (told.returncode, str(file) in told.stderr) == (3, True)
    assert "index.html" in told.stdout
    judged = prunetune("audit", store.root)
    assert (judged.returncode, str(file) in judged.stderr) == (3, True)
    assert judged.stdout


def test_a_damaged_trial_is_named(store: Store) -> None:
    file = store.trial_folder("abc").trial
    file.write(b"{")
    shown = prunetune("status", store.root)
    assert (shown.returncode, str(file) in shown.stderr) == (3, True)
    assert "thin@0.5" in shown.stdout


def test_names_that_lead_out_of_the_storage_are_refused(store: Store) -> None:
    outside = prunetune("status", "../s", "--storage", store.storage / "below")
    assert outside.returncode == 2
    assert "no name of a sweep" in outside.stderr


def test_a_record_whose_costs_do_not_add_up_is_damaged(store: Store) -> None:
    file = store.record_file(one(store, "confirm").key)
    tree = json.loads(file.read())
    del tree["train_macs"]["total"]
    file.write(json.dumps(tree).encode())
    told = prunetune("report", store.root)
    assert told.returncode == 3
    assert str(file) in told.stderr
    assert "the sum of its parts" in told.stderr
