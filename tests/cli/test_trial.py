"""`prunetune show`, `logs` and `gc`: one trial by the beginning of its key, and a tidy storage."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prunetune.records.store import Store
from tests.analysis.audit.cases import clean_sweep
from tests.cli.command import prunetune
from tests.cli.test_audit import stored


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    root = stored(tmp_path_factory.mktemp("runs"), clean_sweep())
    return Store(root.parent, root.name)


def shortest(keys: list[str], key: str) -> str:
    """The shortest beginning of `key` that no other key has."""
    lengths = range(1, len(key) + 1)
    return next(key[:n] for n in lengths if sum(k.startswith(key[:n]) for k in keys) == 1)


def test_a_trial_is_found_by_any_unambiguous_beginning_of_its_key(store: Store) -> None:
    keys = sorted(store.records())
    for key in keys[::9]:
        prefix = shortest(keys, key)
        done = prunetune("show", prefix, "--storage", store.storage, "--json")
        assert json.loads(done.stdout)["key"] == key
        done = prunetune("show", prefix[:-1], "--storage", store.storage)
        assert (done.returncode, done.stdout) == (2, "")
        assert "write more of the key" in done.stderr or not prefix[:-1]


@pytest.mark.parametrize("verb", ["show", "logs"])
def test_an_unknown_key_is_refused(store: Store, verb: str) -> None:
    done = prunetune(verb, "zz", "--storage", store.storage)
    assert done.returncode == 2
    assert "no trial under" in done.stderr


def test_people_and_scripts_are_shown_the_record(store: Store) -> None:
    key, record = next(iter(store.records().items()))
    done = prunetune("show", key, "--storage", store.storage, "--json")
    facts = json.loads(done.stdout)
    assert facts["record"] == json.loads(store.record_file(key).read())
    text = prunetune("show", key, "--storage", store.storage).stdout
    for shown in (record.sweep, record.status, f"{record.macs:,}", f"{record.test_acc1:.2%}"[:5]):
        assert shown in text
    for path, value in record.config.items():
        assert path in text
        assert str(value) in text


def test_logs_have_each_epoch_each_fault_and_each_message(store: Store) -> None:
    key, record = next((k, r) for k, r in store.records().items() if r.curve)
    folder = store.trial_folder(key)
    broke = {"at": "2026-01-01", "kind": "exception", "error": "ValueError: x", "progress": 1}
    folder.breaks.write_json({"breaks": [broke]})
    folder.error.write(b"Traceback: there\n")
    store.messages_log.write_text(f"trial {key} moves\nanother trial\n")
    text = prunetune("logs", key, "--storage", store.storage).stdout
    assert text.count("epoch ") == len(record.curve)
    for said in ("broke off: exception: ValueError: x", f"trial {key} moves", "Traceback: there"):
        assert text.count(said) == 1
    assert "another trial" not in text


def test_gc_deletes_nothing_unless_somebody_agrees(store: Store) -> None:
    key = next(k for k, r in store.records().items() if r.phase == "search")
    checkpoint = store.trial_folder(key).checkpoint
    checkpoint.write(b"1" * 2000)
    facts = json.loads(prunetune("gc", "--storage", store.storage, "--json").stdout)
    assert (facts["bytes"], [Path(f["file"]) for f in facts["files"]]) == (2000, [checkpoint.path])
    done = prunetune("gc", "--storage", store.storage)
    assert "1 file, 2 kB" in done.stdout
    assert "nothing was deleted" in done.stdout
    assert checkpoint.exists()
    assert "deleted 1 file: 2 kB" in prunetune("gc", "--storage", store.storage, "--yes").stdout
    assert not checkpoint.exists()
