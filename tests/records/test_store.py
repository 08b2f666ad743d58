"""Files are whole or not there, records are written once, and one process holds a sweep."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from prunetune.records.files import CorruptFileError, StorageError, to_json, write_whole
from prunetune.records.record import Record
from prunetune.records.store import Store

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
FACTS = {"sweep": "s", "phase": "search", "seed": 0, "status": "completed", "dense_macs": 2}
COUNTS = {"target_macs": 1, "dense_params": 3, "epochs_planned": 1}


def record(key: str, **fields: object) -> Record:
    return Record.model_validate({"key": key, **FACTS, **COUNTS, **fields})


def test_records_survive_the_round_trip(tmp_path):
    store = Store(tmp_path, "s")
    written = {k: record(k, val_acc1=0.1 + i / 3) for i, k in enumerate("abc")}
    for one in written.values():
        assert store.write_record(one)
    assert store.records() == written


@pytest.mark.parametrize("experiment", sorted(p.name for p in EXPERIMENTS.glob("20*")))
def test_keys_of_committed_records_keep_their_order(experiment):
    for path in (EXPERIMENTS / experiment / "records").glob("*.json"):
        committed = json.loads(path.read_bytes())
        written = json.loads(to_json(Record.model_validate(committed)))
        assert [key for key in written if key in committed] == list(committed)
        assert {key: written[key] for key in committed} == committed


def test_a_record_is_written_once_and_never_changed(tmp_path):
    store = Store(tmp_path, "s")
    store.write_record(record("a", val_acc1=0.5))
    before = store.record_file("a").read()
    assert not store.write_record(record("a", val_acc1=0.9))
    assert store.record_file("a").read() == before


def test_a_failed_record_that_is_set_aside_stays_on_disk_but_is_no_longer_read(tmp_path):
    store = Store(tmp_path, "s")
    for _ in range(2):
        store.write_record(record("a", status="failed"))
        store.set_aside("a")
    assert store.records() == {}
    assert len(list((store.root / "records").glob("a.failed-*.json"))) == 2


def test_a_file_that_is_not_a_record_is_named(tmp_path):
    store = Store(tmp_path, "s")
    store.write_record(record("a"))
    text = json.loads(store.record_file("a").read())
    changes = ({"status": "fine"}, {"x": 1}, {"key": "b"})
    changes += ({"test_acc1": 9.0}, {"val_acc1": -0.1}, {"val_acc1": float("nan")})
    for broken in ("", "{", *(json.dumps({**text, **change}) for change in changes)):
        store.record_file("a").write(broken.encode())
        with pytest.raises(CorruptFileError, match=r"a\.json: [^:].* move it away"):
            store.records()


def test_a_write_that_fails_leaves_the_former_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "f"
    write_whole(path, b"old")
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(StorageError, match="No space left"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_names_the_file_that_stands_where_a_folder_should(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="file"):
        write_whole(tmp_path / "file" / "x", b"")
    with pytest.raises(StorageError, match="file"), Store(tmp_path / "file", "s").lock():
        pass


def test_a_second_process_is_refused_while_the_first_lives(tmp_path):
    code = (
        "import sys\n"
        "from prunetune.records.files import StorageError\n"
        "from prunetune.records.store import Store\n"
        "try:\n"
        "    with Store(sys.argv[1], 's').lock(): pass\n"
        "except StorageError as error: sys.exit(str(error))\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    assert not Store(tmp_path, "s").is_locked()
    with Store(tmp_path, "s").lock():
        assert Store(tmp_path, "s").is_locked()
        refused = subprocess.run(command, capture_output=True, text=True, check=False)
        assert refused.returncode == 1
        assert f"process {os.getpid()}" in refused.stderr
    assert subprocess.run(command, check=False).returncode == 0
    assert not Store(tmp_path, "s").is_locked()


def test_dropping_checkpoints_keeps_everything_else(tmp_path):
    store = Store(tmp_path, "s")
    folder = store.trial_folder("a")
    kept = {"weights.safetensors", "trial.json"}
    dropped = {"checkpoint.safetensors", "shrinking.safetensors", "stage-1.safetensors"}
    for name in kept | dropped:
        folder.file(name).write(b"x")
    folder.drop_checkpoints()
    assert {p.name for p in folder.path.iterdir()} == kept
