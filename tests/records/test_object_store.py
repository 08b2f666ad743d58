"""A storage in an object store does what a folder does: against a real server on loopback."""

from __future__ import annotations

import os
import pickle
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from prunetune.records import objects
from prunetune.records.files import CorruptFileError, StorageError
from prunetune.records.store import Store, sweep_names
from tests.object_server import Wire, address
from tests.records.test_store import record

pytestmark = pytest.mark.usefixtures("credentials")


@pytest.fixture
def store(port: int, request: pytest.FixtureRequest) -> Store:
    return Store(address(port, f"runs/{request.node.name}".replace("[", "/").strip("]")), "s")


def test_records_and_trials_are_those_that_were_written(store: Store) -> None:
    written = {key: record(key, val_acc1=0.1 + i / 99) for i, key in enumerate("abcdefgh")}
    with store.lock():
        for one in written.values():
            assert store.write_record(one)
        assert not store.write_record(written["a"].model_copy(update={"val_acc1": 0.9}))
    again = Store(store.storage, "s")
    assert again.records() == written
    assert again.outcomes().keys() == written.keys()
    assert again.outcomes()["b"].val_acc1 == written["b"].val_acc1  # from the index
    again.set_aside("a")
    assert again.records().keys() == again.outcomes().keys() == written.keys() - {"a"}
    assert sweep_names(store.storage) == []
    store.plan_file.write(b"{}")
    assert sweep_names(store.storage) == ["s"]


def test_a_sweep_is_found_by_the_address_of_its_folder(port: int) -> None:
    Store(address(port, "deep/runs"), "s").plan_file.write(b"{}")
    found = Store.of_folder(address(port, "deep/runs/s"))
    assert found is not None
    assert (str(found.storage), found.sweep) == ("s3://bucket/deep/runs", "s")
    assert found.plan_file.exists()
    assert Store.of_folder(address(port, "deep/runs")) is None


def test_a_damaged_record_is_named_and_can_be_left_out(store: Store) -> None:
    store.write_record(record("a"))
    store.record_file("b").write(b"{")
    with pytest.raises(CorruptFileError, match=r"s3://bucket/.*b\.json"):
        store.records()
    damaged: list[str] = []
    assert store.records(damaged).keys() == {"a"}
    assert ["b.json" in each for each in damaged] == [True]


@pytest.mark.parametrize("size", [0, 1, objects._PORTION, 2 * objects._PORTION + 7])
def test_files_of_any_size_come_back(store: Store, size: int) -> None:
    content = os.urandom(size)
    file = store.trial_folder("k").weights
    file.write(content)
    assert file.read() == content
    with file.local() as path:
        assert path.read_bytes() == content
    file.delete()
    file.delete()
    assert not file.exists()
    with pytest.raises(FileNotFoundError):
        file.read()


def test_dropping_checkpoints_keeps_everything_else(store: Store) -> None:
    folder = store.trial_folder("a")
    dropped = (folder.checkpoint, folder.shrinking_checkpoint, folder.stage_checkpoint(3))
    for file in (folder.weights, *dropped):
        file.write(b"x")
    folder.drop_checkpoints()
    assert [file.exists() for file in (folder.weights, *dropped)] == [True, False, False, False]


def test_of_many_who_ask_at_once_all_get_the_same_id(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: store.storage_id(), range(8)))) == 1
    assert Store(store.storage, "t").storage_id() == store.storage_id()


def test_a_second_owner_is_refused_and_told_who_the_first_is(store: Store) -> None:
    with store.lock():
        assert Store(store.storage, "s").is_locked()
        second = Store(store.storage, "s")
        with pytest.raises(StorageError, match=f"process {os.getpid()} on"), second.lock():
            pass
    assert not Store(store.storage, "s").is_locked()
    with Store(store.storage, "s").lock():
        pass


def test_a_store_travels_without_credentials(store: Store, credentials: dict[str, str]) -> None:
    with store.lock():
        store.write_record(record("a"))
        pickled = pickle.dumps(store)
        assert not [value for value in credentials.values() if value.encode() in pickled]
        assert pickle.loads(pickled).records().keys() == {"a"}


@pytest.mark.parametrize("header", [b"if-none-match", b"if-match"])
def test_a_store_that_ignores_conditions_is_refused(port: int, header: bytes) -> None:
    deaf = address(Wire(port, dropped_header=header).port, f"deaf/{header.decode()}")
    with pytest.raises(StorageError, match="ignores the conditions"), Store(deaf, "s").lock():
        pass


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("s3://id:secret@bucket/x", "must not hold credentials"),
        ("s3://bucket/x?secret_key=secret", "allowed are endpoint_override"),
        ("s3://bucket/a/../../x", "plain names"),
        ("s3:///x", "no name of a bucket"),
        ("hdfs://secret@host/x", "s3://BUCKET/FOLDER"),
    ],
)
def test_other_addresses_are_refused_and_no_secret_is_shown(url: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as refused:
        Store(url, "s")
    assert "secret@" not in str(refused.value)
    assert "=secret" not in str(refused.value)
    assert getattr(refused.value, "exit_code", None) == 2


def test_a_server_that_stops_answering_is_told_in_words_and_in_time(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "REQUEST_S", 1)
    objects._client.cache_clear()
    wire = Wire(port)
    store = Store(address(wire.port, "stalled"), "s")
    with store.lock():
        store.write_record(record("a"))
        wire.answers, start = False, time.monotonic()
        with pytest.raises(StorageError, match=r"s3://bucket/stalled: does not answer"):
            store.write_record(record("b"))
        assert time.monotonic() - start < 10
        wire.answers = True
        assert store.write_record(record("b"))
    assert store.records().keys() == {"a", "b"}


def test_a_missing_bucket_a_closed_port_and_missing_credentials_are_told(
    port: int, credentials: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "_RETRIES", 0)
    objects._client.cache_clear()
    elsewhere = address(port, "x").replace("bucket", "no-such-bucket")
    with pytest.raises(StorageError, match="NoSuchBucket"):
        Store(elsewhere, "s").plan_file.write(b"{}")
    with pytest.raises(StorageError, match="NoSuchBucket"):
        sweep_names(elsewhere)
    with pytest.raises(StorageError, match="does not answer"):
        Store(address(1, "x"), "s").plan_file.exists()
    for name in credentials:
        monkeypatch.delenv(name)
    objects._client.cache_clear()
    with pytest.raises(StorageError, match="no credentials"):
        Store(address(port, "nobody"), "s").plan_file.exists()


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
def test_the_environment_may_name_the_server(
    port: int, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
    objects._client.cache_clear()
    Store(f"s3://bucket/{name}", "s").plan_file.write(b"{}")
    monkeypatch.delenv(name)
    assert sweep_names(address(port, name)) == ["s"]
    monkeypatch.setenv(name, "http://127.0.0.1:1")  # what the address says goes first
    objects._client.cache_clear()
    assert sweep_names(address(port, name)) == ["s"]
