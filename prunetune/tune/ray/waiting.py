"""Work beside a wait: says from time to time what is still being waited for, and since when."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_log = logging.getLogger(__name__)
FIRST_WORDS_S = 8.0
_NEXT_WORDS_S = 30.0


@contextmanager
def told(what: str) -> Iterator[None]:
    """Warn after some seconds, and again every half minute, that `what` has not happened yet."""
    with beside(lambda done: _tell(what, done)):
        yield


@contextmanager
def beside(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Run `work` in a thread of its own beside the block, whose end the event tells it."""
    done = threading.Event()
    thread = threading.Thread(target=work, args=(done,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _tell(what: str, done: threading.Event) -> None:
    start, pause = time.monotonic(), FIRST_WORDS_S
    while not done.wait(pause):
        _log.warning("%s, for %.0f s now%s", what, time.monotonic() - start, busy_words())
        pause = _NEXT_WORDS_S


def busy_words() -> str:
    """How busy this machine is, where more processes want to run than it has cores; else ""."""
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load <= cores:
        return ""
    return f"; this machine is busy: about {load:.0f} processes share its {cores} cores"
