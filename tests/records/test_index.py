"""The index of records: whatever is in it, the records that it gives are those of the files."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from pathlib import Path

import pytest

from prunetune.records.files import CorruptFileError
from prunetune.records.record import Record
from prunetune.records.store import Store
from prunetune.records.trial_outcome import TrialOutcome
from tests.analysis.sweeps import make_plan, noisy, run


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A finished sweep."""
    found = Store(tmp_path, "sweep")
    for record in run(make_plan(seeds=2), noisy({"thin": 0.9, "pruned": 0.9})).values():
        found.write_record(record)
    return found


def index_of(store: Store) -> Path:
    return store.root / "records.index"


def short(record: Record) -> TrialOutcome:
    return replace(TrialOutcome.of(record), accuracies=())


def assert_same(store: Store) -> None:
    found = store.outcomes()
    assert list(found.items()) == [(k, short(r)) for k, r in store.records().items()]


def test_the_outcomes_are_those_of_the_records_and_take_less_room(store: Store) -> None:
    assert_same(store)
    assert_same(store)  # now from the index
    whole = sum(path.stat().st_size for path in (store.root / "records").iterdir())
    assert index_of(store).stat().st_size < whole


def test_a_record_is_indexed_as_it_is_written(store: Store) -> None:
    written = index_of(store).read_bytes()
    assert len(written.splitlines()) == len(store.records())
    assert_same(store)
    assert index_of(store).read_bytes() == written


def test_an_empty_storage_has_no_records_and_gets_no_index(tmp_path: Path) -> None:
    assert Store(tmp_path, "none").outcomes() == {}
    assert list(tmp_path.iterdir()) == []


def test_new_changed_and_removed_records_are_noticed(store: Store) -> None:
    store.outcomes()
    keys = list(store.records())
    store.record_file(keys[0]).delete()
    store.set_aside(keys[1])
    changed = store.records()[keys[2]].model_copy(update={"status": "failed", "val_acc1": None})
    store.record_file(keys[2]).write_json(changed)
    store.write_record(changed.model_copy(update={"key": "new"}))
    assert_same(store)
    assert store.outcomes()[keys[2]].status == "failed"


@pytest.mark.parametrize("seed", range(8))
def test_a_damaged_index_changes_nothing(store: Store, seed: int) -> None:
    store.outcomes()
    rng, content = random.Random(seed), bytearray(index_of(store).read_bytes())
    if seed % 2:
        del content[rng.randrange(len(content)) :]
    else:
        content[rng.randrange(len(content))] = rng.randrange(256)
        content += b"\n\n[]\n"
    index_of(store).write_bytes(content)
    store.write_record(next(iter(store.records().values())).model_copy(update={"key": "new"}))
    assert store.outcomes().keys() == store.records().keys()
    index_of(store).unlink()
    assert_same(store)


def test_an_index_that_cannot_be_read_is_made_anew(store: Store) -> None:
    good = index_of(store).read_bytes()
    older = good.replace(b'"budget_miss"', b'"budget"')
    index_of(store).write_bytes(older)
    assert_same(store)
    assert index_of(store).read_bytes() == b"".join(sorted(good.splitlines(keepends=True)))


def test_an_index_that_cannot_be_written_is_done_without(store: Store) -> None:
    index_of(store).unlink()
    index_of(store).mkdir()
    assert_same(store)
    store.write_record(next(iter(store.records().values())).model_copy(update={"key": "new"}))
    assert_same(store)


def test_an_index_does_not_grow_for_ever(store: Store) -> None:
    for _ in range(6):
        for path in (store.root / "records").iterdir():
            os.utime(path, ns=(random.randrange(10**18), random.randrange(10**18)))
        store.outcomes()
    assert len(index_of(store).read_bytes().splitlines()) <= 2 * len(store.records())


def test_a_file_that_is_no_record_is_named(store: Store) -> None:
    store.record_file("broken").write(b"{}")
    with pytest.raises(CorruptFileError, match=r"broken\.json"):
        store.outcomes()


def test_records_of_any_status_go_through_the_index(store: Store) -> None:
    first: Record = next(iter(store.records().values()))
    for status in ("stopped", "failed", "infeasible", "diverged"):
        update = {"key": status, "status": status, "error": "what\nwent “wrong”", "val_acc1": None}
        store.write_record(first.model_copy(update=update))
    assert_same(store)
    assert_same(store)
