"""A lock between processes that none can take to its grave."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prunetune.records.store import StorageError

POLL_S = 0.2


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock at `path`, having waited for whoever holds it.

    The kernel frees the lock of a process that ends, however it ends, and the file stays. It is not
    waited for within the kernel, so that a signal is heard.

    Raises:
        StorageError: the file system has no locks, or cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a")
    except OSError as error:
        raise StorageError(f"cannot make {path}: {error.strerror or error}") from error
    with file:
        while not _taken(file.fileno(), path):
            time.sleep(POLL_S)
        yield


def _taken(descriptor: int, path: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise StorageError(f"cannot lock {path}: {error.strerror or error}") from error
    return True
