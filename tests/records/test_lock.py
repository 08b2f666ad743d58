"""A lock has one holder: it waits for one that lives, and is taken from one that died."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from prunetune.records import lock
from prunetune.records.cells import cell_at
from prunetune.records.files import StorageError
from prunetune.records.holder import Holder, read_holder, this_process
from prunetune.records.lock import exclusive_lock, is_locked, waiting_lock
from prunetune.records.place import Place
from prunetune.records.places import storage_place
from tests.object_server import address

HOLDER = """
import sys, time
from prunetune.records.lock import waiting_lock
from prunetune.records.places import storage_place
with waiting_lock(storage_place(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture(params=["folder", "object"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch) -> Place:
    """A free lock in a folder or in an object store, of holders in a hurry."""
    monkeypatch.setattr(lock, "BEAT_S", 0.1)
    monkeypatch.setattr(lock, "STALE_S", 1.0)
    monkeypatch.setattr(lock, "_POLL_S", 0.02)
    monkeypatch.setattr(lock, "_REMOTE_POLL_S", 0.02)
    if request.param == "folder":
        return tmp_path / ".owner"
    request.getfixturevalue("credentials")
    port = request.getfixturevalue("port")
    return storage_place(address(port, f"locks/{request.node.name}")) / ".owner"


@pytest.fixture
def stranger(place: Place) -> Holder:
    """A holder on another machine, whose last sign of life is just now."""
    holder = this_process().model_copy(update={"machine": "elsewhere", "host": "far", "pid": 7})
    assert cell_at(place).swap(holder.content(), None) is not None
    return holder


def test_only_one_holds_the_lock_at_a_time(place: Place):
    inside: list[int] = []
    most = 0

    def work() -> None:
        nonlocal most
        with waiting_lock(place):
            inside.append(1)
            most = max(most, len(inside))
            time.sleep(0.03)
            inside.pop()

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(work) for _ in range(4)]:
            done.result(timeout=60)
    assert (most, inside) == (1, [])


def test_the_lock_of_a_killed_holder_is_free_at_once(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(lock, "STALE_S", 600)
    path = tmp_path / ".owner"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True
    ) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            waited = threading.Event()

            def wait() -> None:
                with waiting_lock(path):
                    waited.set()

            waiter = threading.Thread(target=wait)
            waiter.start()
            assert is_locked(path)
            assert not waited.wait(0.5)
        finally:
            holder.send_signal(signal.SIGKILL)
        waiter.join(timeout=60)
        assert waited.is_set()


def test_a_number_that_another_process_got_does_not_hold_the_lock(place: Place):
    former = this_process()
    cell_at(place).swap(former.model_copy(update={"started": former.started - 1}).content(), None)
    assert not is_locked(place)
    with exclusive_lock(place, "the sweep"):
        assert is_locked(place)
    assert not is_locked(place)


def test_a_living_holder_elsewhere_is_named(place: Place, stranger: Holder):
    ended = threading.Event()

    def live() -> None:
        cell = cell_at(place)
        while not ended.wait(0.1):
            found = cell.read()
            assert found is not None
            cell.swap(stranger.content(), found.version)

    life = threading.Thread(target=live)
    life.start()
    try:
        with (
            pytest.raises(StorageError, match=r"running already \(process 7 on far"),
            exclusive_lock(place, "the sweep"),
        ):
            pass
        assert is_locked(place)
    finally:
        ended.set()
        life.join()


def test_of_many_who_find_a_dead_holder_one_takes_over(place: Place, stranger: Holder):
    held, refused = [], []

    def attempt() -> None:
        try:
            with exclusive_lock(place, "the sweep"):
                held.append(1)
                time.sleep(1)
        except StorageError as error:
            refused.append(str(error))

    start = time.monotonic()
    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(attempt) for _ in range(6)]:
            done.result(timeout=60)
    assert (len(held), len(refused)) == (1, 5)
    assert all(f"process {os.getpid()} on" in text for text in refused)
    assert time.monotonic() - start > lock.STALE_S


def test_a_holder_from_whom_the_lock_was_taken_learns_it(place: Place):
    with exclusive_lock(place, "the sweep") as held:
        held.check()
        other = this_process().model_copy(update={"machine": "elsewhere", "host": "far"})
        cell = cell_at(place)
        taken = False
        while not taken:  # the holder may renew it in between
            found = cell.read()
            taken = cell.swap(other.content(), found.version if found else None) is not None
        with pytest.raises(StorageError, match=r"taken over by process .* on far"):
            until_lost(held)
    found = cell.read()
    assert found is not None
    kept = read_holder(found.content)
    assert kept is not None  # what is the other's is not given back
    assert kept.token == other.token


def until_lost(held: lock.HeldLock) -> None:
    """Ask for half a minute whether the lock is still held."""
    for _ in range(600):
        held.check()
        time.sleep(0.05)


@pytest.mark.parametrize("content", [b"", b"{", b'{"token": 1}', b"\xff"])
def test_a_damaged_lock_is_free(place: Place, content: bytes):
    cell_at(place).swap(content, None)
    assert not is_locked(place)
    with exclusive_lock(place, "the sweep"):
        assert is_locked(place)
