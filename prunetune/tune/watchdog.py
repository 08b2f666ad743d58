"""Ends a worker whose trial hangs, so that the trial goes on elsewhere from its last epoch.

A trial gives a sign of life after every step of training. How long it may be silent follows from
its epochs so far, and is generous: a trial that is ended by mistake loses an epoch, no result.
The worker ends itself, because nobody else can tell a trial that hangs from one that is slow.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NoReturn

from prunetune.records.files import StoredFile
from prunetune.records.record_builder import now


@dataclass(frozen=True)
class Patience:
    """How long a trial may be silent."""

    first_s: float = 7200.0
    """Until its first epoch has ended: data may be loaded, channels scored, networks proved."""
    least_s: float = 300.0
    """Afterwards, if epochs are short."""
    epochs: float = 10.0
    """Afterwards, in units of its longest epoch so far."""
    grace_s: float = 60.0
    """How much longer if Python itself stands still, or the storage does not take the report."""


class Watchdog:
    """Watches one trial in this process; see `prunetune.protocols.Pulse` for `beat` and `paused`.

    Args:
        file: takes the report of a hang, for whoever deals the trial again.
        patience: how long the trial may be silent.
    """

    def __init__(self, file: StoredFile, patience: Patience | None = None) -> None:
        self._file, self._patience = file, patience or Patience()
        self._stacks = tempfile.TemporaryFile()  # noqa: SIM115  (open as long as the thread runs)
        self._beaten = 0.0
        self._watching = threading.Event()
        self._closed = threading.Event()
        self._blocks: list[float] = []
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._thread.start()

    @property
    def allowance_s(self) -> float:
        """How long the trial may be silent now."""
        if len(self._blocks) < 2:  # making the network, and the first epoch
            return self._patience.first_s
        return max(self._patience.least_s, self._patience.epochs * max(self._blocks))

    def beat(self) -> None:
        """The trial is alive."""
        self._beaten = time.monotonic()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch the block: it makes the network, or trains one epoch."""
        start = time.monotonic()
        self._resume()
        try:
            yield
        finally:
            self._rest()
            self._blocks.append(time.monotonic() - start)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Do not watch the block, in which the trial waits for another one."""
        self._rest()
        try:
            yield
        finally:
            self._resume()

    def close(self) -> None:
        """Stop watching."""
        self._closed.set()
        self._rest()
        self._watching.set()  # lets the thread end

    def _resume(self) -> None:
        self.beat()
        self._end_anyway(self.allowance_s + self._patience.grace_s)
        self._watching.set()

    def _rest(self) -> None:
        self._watching.clear()
        faulthandler.cancel_dump_traceback_later()

    def _watch(self) -> None:
        while True:
            self._watching.wait()
            if self._closed.is_set():
                return
            allowance = self.allowance_s
            silent = time.monotonic() - self._beaten
            if silent > allowance:
                self._end(silent)
            # While a library holds Python's lock, this loop stands still: then C code ends us.
            self._end_anyway(allowance + self._patience.grace_s)
            self._closed.wait(min(10.0, allowance / 4))
            faulthandler.cancel_dump_traceback_later()

    def _end_anyway(self, after_s: float) -> None:
        faulthandler.dump_traceback_later(after_s, exit=True, file=self._stacks)

    def _end(self, silent: float) -> NoReturn:
        """Write where the trial hangs, and end the process at once."""
        self._end_anyway(self._patience.grace_s)
        faulthandler.dump_traceback(self._stacks)
        self._stacks.seek(0)
        text = f"the trial hung: no sign of life for {silent:.0f} s\n{now()}\n\n"
        try:
            self._file.write(text.encode() + self._stacks.read())
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("unreachable")
