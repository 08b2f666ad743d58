"""Locks between processes. The kernel frees the lock of a process that ends, however it ends."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prunetune.records.files import StorageError

_POLL_S = 0.2


@contextmanager
def waiting_lock(path: Path) -> Iterator[None]:
    """Hold the lock at `path`, after waiting for whoever holds it. The lock file stays.

    The wait is a loop and not a call into the kernel, so that a signal interrupts it.

    Raises:
        StorageError: the file system has no locks, or cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a")
    except OSError as error:
        raise StorageError(f"cannot make {path}: {error.strerror or error}") from error
    with file:
        while not _acquire(file.fileno(), path):
            time.sleep(_POLL_S)
        yield


@contextmanager
def exclusive_lock(path: Path, name: str) -> Iterator[None]:
    """Hold the lock at `path` without waiting; `name` says in errors what it protects.

    Raises:
        StorageError: another living process holds the lock, or the folder cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot make {path.parent}: {error.strerror or error}") from error
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise StorageError(f"{name} is running already ({holder})") from None
        file.truncate(0)
        file.write(f"process {os.getpid()}\n")
        file.flush()
        yield


def is_locked(path: Path) -> bool:
    """Whether a living process holds the lock at `path`."""
    if not path.exists():
        return False
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _acquire(descriptor: int, path: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise StorageError(f"cannot lock {path}: {error.strerror or error}") from error
    return True
