"""What a storage could do without: junk alone, and nothing of a sweep that runs or may go on."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from prunetune import load_winner
from prunetune.records.record import Record
from prunetune.records.store import Store
from prunetune.sweep.garbage import collect, delete_garbage
from prunetune.sweep.plan_file import load_plan
from prunetune.sweep.publish import publish


@pytest.fixture
def store(swept: Store, tmp_path: Path) -> Store:
    shutil.copytree(swept.storage, tmp_path / "runs")
    copy = Store(tmp_path / "runs", "small")
    copy.storage_id()
    return copy


def of_phase(store: Store, phase: str) -> Record:
    return next(r for r in store.records().values() if r.phase == phase)


def contents(storage: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(storage)): path.read_bytes()
        for path in storage.rglob("*")
        if path.is_file() and ".owner" not in path.parts
    }


def add_junk(store: Store) -> set[str]:
    key = of_phase(store, "search").key
    store.trial_folder(key).checkpoint.write(b"1234")
    store.trial_folder(key).stage_checkpoint(2).write(b"12")
    store.trial_folder(key).file("spent.json.damaged-1").write(b"{")
    cut_short = store.trial_folder(key).file(".spent.json.0a1b.tmp")
    cut_short.write(b"")
    os.utime(cut_short.path, (0, 0))
    store.dense_folder("f00d").weights.write(b"12345")
    store.dense_folder("f00d").record.write(b"{}")
    trial = f"small/trials/{key}/"
    names = ("checkpoint.safetensors", "stage-2.safetensors")
    return {
        *(trial + name for name in (*names, "spent.json.damaged-1", ".spent.json.0a1b.tmp")),
        "dense/f00d/weights.safetensors",
    }


def test_a_finished_sweep_has_no_garbage(store: Store) -> None:
    assert collect(store.storage) == ((), ())


def test_junk_goes_and_all_else_stays_to_the_last_byte(store: Store) -> None:
    before = contents(store.storage)
    junk = add_junk(store)
    collection = collect(store.storage)
    assert {store.address(each.file) for each in collection.garbage} == junk
    freed = delete_garbage(store.storage, collection)
    assert freed == sum(each.size for each in collection.garbage) == 4 + 2 + 1 + 0 + 5
    assert contents(store.storage) == before | {"dense/f00d/record.json": b"{}"}
    assert collect(store.storage) == ((), ())


def test_what_a_failed_or_unfinished_trial_may_go_on_from_is_kept(store: Store) -> None:
    unfinished, failed = of_phase(store, "confirm"), of_phase(store, "search")
    store.record_file(unfinished.key).delete()
    lost = failed.model_copy(update={"status": "failed"})
    store.record_file(failed.key).write_json(lost)
    for record in (unfinished, failed):
        store.trial_folder(record.key).checkpoint.write(b"1234")
    assert collect(store.storage, weights=True).garbage == ()


def test_nothing_of_a_sweep_that_runs_is_touched(store: Store) -> None:
    add_junk(store)
    with Store(store.storage, "small").lock():
        garbage, left = collect(store.storage)
        assert garbage == ()
        assert left == ("small runs, and is left alone", "so are the networks that sweeps share")


def test_networks_of_a_sweep_without_a_plan_are_left_alone(store: Store) -> None:
    add_junk(store)
    store.plan_file.rename("plan.json.away")
    garbage, left = collect(store.storage)
    assert garbage == ()
    assert left[0] == "small has no plan.json, and is left alone"


def test_a_file_that_became_needed_meanwhile_is_not_deleted(store: Store) -> None:
    add_junk(store)
    collection = collect(store.storage)
    key = of_phase(store, "search").key
    store.record_file(key).delete()  # as if its trial was to run again
    delete_garbage(store.storage, collection)
    assert store.trial_folder(key).checkpoint.exists()


def test_without_spare_weights_every_study_still_has_a_network_and_the_report_is_the_same(
    store: Store,
) -> None:
    collection = collect(store.storage, weights=True)
    assert [each.file.name for each in collection.garbage] == ["weights.safetensors"] * 2
    before = publish(load_plan(store), store, store.records())
    delete_garbage(store.storage, collection, weights=True)
    for study in load_plan(store).studies:
        load_winner("small", study.id, store.storage)
    assert publish(load_plan(store), store, store.records()).frontier == before.frontier


def test_a_file_that_may_be_in_the_writing_stays(store: Store) -> None:
    store.trial_folder(of_phase(store, "search").key).file(".spent.json.0a1b.tmp").write(b"")
    assert collect(store.storage).garbage == ()
