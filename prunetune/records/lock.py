"""Locks between processes, on one machine or many: a cell of the storage names the holder.

The holder shows every few seconds that it lives. A process of the same machine that has died is
noticed at once. One of another machine is dead if it has shown nothing for `STALE_S`, whatever its
clock says. A dead holder's lock is taken over; of several that try, one gets it.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from prunetune.records.cells import AtomicCell, CellContent, CellVersion, cell_at
from prunetune.records.files import StorageError
from prunetune.records.holder import Holder, read_holder, this_process
from prunetune.records.place import Place

BEAT_S = 10.0
"""How often a holder shows that it lives."""
STALE_S = 60.0
"""After so long without a sign of life a holder on another machine counts as dead."""
_POLL_S, _REMOTE_POLL_S = 0.2, 1.0
_log = logging.getLogger(__name__)
_held_here: set[str] = set()
"""Tokens of the locks that this process holds; a lock may name it that it could not give back."""


class HeldLock:
    """A lock that this process holds, and renews in a thread of its own until it is given back."""

    def __init__(self, cell: AtomicCell, holder: Holder, version: CellVersion) -> None:
        self._cell, self._holder, self._version = cell, holder, version
        self._lost: StorageError | None = None
        self._renewed = time.monotonic()
        self._changing, self._given_back = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._serve, name="lock", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Make sure that this process still holds the lock.

        Raises:
            StorageError: another process took it over, or the storage is away.
        """
        if self._lost is None and time.monotonic() - self._renewed > STALE_S:
            self._renew()  # this process or the storage was suspended
        if self._lost is not None:
            raise self._lost

    def give_back(self) -> None:
        """End the holding; the next process need not wait."""
        self._given_back.set()
        _held_here.discard(self._holder.token)
        with self._changing, suppress(StorageError):
            if self._lost is None:
                self._cell.swap(self._holder.content(free=True), self._version)

    def _serve(self) -> None:
        while not self._given_back.wait(BEAT_S) and self._lost is None:
            try:
                self._renew()
            except StorageError as error:  # it may come back; a write will say so if not
                _log.debug("lock not renewed: %s", error)

    def _renew(self) -> None:
        with self._changing:
            if self._given_back.is_set():
                return
            version = self._cell.swap(self._holder.content(), self._version)
            if version is None:
                found = self._cell.read()
                by = read_holder(found.content) if found else None
                self._lost = StorageError(f"the sweep was taken over by {by or 'another process'}")
            else:
                self._version, self._renewed = version, time.monotonic()


@contextmanager
def exclusive_lock(place: Place, name: str) -> Iterator[HeldLock]:
    """Hold the lock at `place`; wait only to see whether a holder on another machine lives.

    `name` says in errors what the lock protects.

    Raises:
        StorageError: a living process holds the lock, or the storage is away.
    """
    cell, watch = cell_at(place), _Watch()
    while (held := _take(cell, found := cell.read(), watch)) is None:
        holder = read_holder(found.content) if found else None
        if holder and (_lives(holder) or watch.moved):
            raise StorageError(f"{name} is running already ({holder})")
        if holder and watch.begins:
            _log.warning("%s was held by %s; waiting to see whether it lives", name, holder)
        time.sleep(_POLL_S if holder is None else _REMOTE_POLL_S)
    yield from _until_given_back(held)


@contextmanager
def waiting_lock(place: Place) -> Iterator[HeldLock]:
    """Hold the lock at `place`, after waiting for whoever holds it.

    Raises:
        StorageError: the storage is away, or cannot be written.
    """
    cell, watch = cell_at(place), _Watch()
    while (held := _take(cell, cell.read(), watch)) is None:
        time.sleep(_POLL_S if isinstance(place, Path) else _REMOTE_POLL_S)
    yield from _until_given_back(held)


def is_locked(place: Place) -> bool:
    """Whether a process holds the lock at `place` and seems to live.

    Raises:
        StorageError: the storage is away.
    """
    found = cell_at(place).read()
    holder = read_holder(found.content) if found else None
    if holder is None:
        return False
    lives = _lives(holder)
    return holder.beats(STALE_S) if lives is None else lives


class _Watch:
    """How long the lock has been without any change, by the clock of this machine."""

    def __init__(self) -> None:
        self._version: CellVersion | None = None
        self._token = ""
        self._since = 0.0
        self.moved, self.begins = False, False
        """Whether the same holder showed that it lives; whether this is the first look at it."""

    def stale(self, found: CellContent, holder: Holder) -> bool:
        """Look at a lock that a process of another machine holds."""
        now = time.monotonic()
        self.begins = holder.token != self._token
        self.moved = not self.begins and found.version != self._version
        if self.begins or self.moved:
            self._version, self._token, self._since = found.version, holder.token, now
        return now - self._since > STALE_S


def _take(cell: AtomicCell, found: CellContent | None, watch: _Watch) -> HeldLock | None:
    """The lock, if it is free or its holder is dead; None if not, or if another was faster."""
    holder = read_holder(found.content) if found else None
    if holder is not None and found is not None:
        lives = _lives(holder)
        if lives or (lives is None and not watch.stale(found, holder)):
            return None
    ours = this_process()
    _held_here.add(ours.token)  # first, or another thread would take it for a dead holder's
    version = None
    try:
        version = cell.swap(ours.content(), found.version if found else None)
    finally:
        if version is None:
            _held_here.discard(ours.token)
    return None if version is None else HeldLock(cell, ours, version)


def _lives(holder: Holder) -> bool | None:
    """Whether the holder lives; None if its machine is another one."""
    lives = holder.lives_here()
    return holder.token in _held_here if lives and holder.pid == os.getpid() else lives


def _until_given_back(held: HeldLock) -> Iterator[HeldLock]:
    try:
        yield held
    finally:
        held.give_back()
