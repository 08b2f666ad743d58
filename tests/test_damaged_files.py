"""What is only a help to a trial may be damaged: it is set aside by name, and made anew."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from prunetune.messages import passed_to
from prunetune.records.cost_meter import read_spent
from prunetune.records.files import StoredFile
from prunetune.records.record import Record, TrialSpec
from prunetune.records.record_builder import RecordBuilder
from prunetune.records.store import Store
from prunetune.trial import run_trial
from tests.test_trial import DENSE, facts, pruned, run


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A storage with a dense network."""
    store = Store(tmp_path_factory.mktemp("runs"), "s")
    record = run(DENSE, store)
    assert record is not None
    store.write_record(record)
    return store


@pytest.fixture(scope="module")
def whole(first: Store) -> Record:
    record = run(pruned("whole"), first)
    assert record is not None
    return record


@pytest.fixture
def store(first: Store, tmp_path: Path) -> Store:
    """A copy of it, to damage."""
    shutil.copytree(first.storage, tmp_path / "runs")
    return Store(tmp_path / "runs", "s")


def finished(trial: TrialSpec, store: Store) -> tuple[Record, list[str]]:
    """The record of a trial, and all that it said."""
    builder, said = RecordBuilder(trial), []
    with passed_to(lambda _, text: said.append(text)):
        for report in run_trial(trial, store, device="cpu"):
            builder.add(report)
    return builder.record(), said


def truncate(file: StoredFile) -> None:
    content = file.path.read_bytes()
    file.path.write_bytes(content[: len(content) // 2])


def aside(file: StoredFile) -> StoredFile:
    return StoredFile(file.path.with_name(f"{file.path.name}.damaged-1"))


def alike(record: Record, whole: Record) -> None:
    assert facts(record) == facts(whole) | {"key": record.key}


@pytest.mark.parametrize("name", ["checkpoint", "spent"])
def test_a_trial_goes_on_without_its_damaged_file(store: Store, whole: Record, name: str) -> None:
    trial = pruned("torn")
    run(trial, store, limit=2)
    file: StoredFile = getattr(store.trial_folder("torn"), name)
    before = read_spent(store.trial_folder("torn").spent)
    truncate(file)
    torn = file.read()
    record, notes = finished(trial, store)
    alike(record, whole)
    assert aside(file).read() == torn
    (note,) = notes
    assert str(file.path) in note
    assert f"set aside as {file.path.name}.damaged-1" in note
    assert record.train_macs.spent >= record.train_macs.train + record.train_macs.score
    if name == "checkpoint":
        assert before is not None
        assert record.train_macs.spent >= whole.train_macs.spent + before.macs


def test_a_checkpoint_of_another_training_is_set_aside(store: Store, whole: Record) -> None:
    other = pruned("other", seed=5)
    run(other, store, limit=2)
    trial = pruned("torn")
    run(trial, store, limit=2)
    content = store.trial_folder("other").checkpoint.read()
    store.trial_folder("torn").checkpoint.write(content)
    record, (note,) = finished(trial, store)
    alike(record, whole)
    assert "written by another training: its seeds is" in note


def test_damaged_weights_of_the_dense_network_are_trained_again(
    store: Store, whole: Record
) -> None:
    weights = store.dense_folder("dense0").weights
    sound = weights.read()
    truncate(weights)
    record, (note,) = finished(pruned("torn"), store)
    alike(record, whole)
    assert weights.read() == sound
    assert str(weights.path) in note
    assert record.train_macs.spent > whole.train_macs.spent


def test_weights_that_fail_while_their_own_checkpoint_is_damaged_too(
    store: Store, whole: Record
) -> None:
    truncate(store.dense_folder("dense0").weights)
    store.trial_folder("dense0").checkpoint.write(b"torn")
    record, notes = finished(pruned("torn"), store)
    alike(record, whole)
    assert len(notes) == 2


def test_a_damaged_record_of_a_shared_dense_network_is_made_anew(store: Store) -> None:
    file = store.dense_folder("dense0").record
    sound = Record.model_validate_json(file.read())
    truncate(file)
    record, (note,) = finished(DENSE, store)
    assert facts(record) == facts(sound)
    assert str(file.path) in note
    assert facts(Record.model_validate_json(file.read())) == facts(sound)


def test_spent_says_where_a_trial_runs_and_how_far_it_came(store: Store) -> None:
    trial = pruned("running")
    progress = []
    for n in (1, 2, 3):
        run(trial, store, limit=n)
        spent = read_spent(store.trial_folder("running").spent)
        assert spent is not None
        progress.append(spent.progress)
    assert progress == [0, 1, 2]
    assert spent.begun == {"checkpoint": 2}
    assert spent.host
    assert spent.started_at <= spent.since <= spent.at
    older = json.dumps({"started_at": spent.started_at, "macs": 7, "seconds": 1.0})
    store.trial_folder("running").spent.write(older.encode())
    old = read_spent(store.trial_folder("running").spent)
    assert old is not None
    assert (old.macs, old.progress) == (7, 0)
