"""Updates that MLflow has not received yet, at most one per subject.

The backlog stays small however long a server is away: newer updates are merged into older ones, and
a trial's record replaces its epochs.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

from prunetune.tracking.updates import Update


class Backlog:
    """A mailbox between the driver, which never waits, and the thread that writes to MLflow."""

    def __init__(self) -> None:
        self._waiting: dict[str, Update] = {}
        self._taken: dict[str, Update] = {}
        self._changed = threading.Condition()
        self._closing = False
        self._served = False

    def left(self) -> list[Update]:
        """The updates that are not written yet, those in the thread's hands included."""
        with self._changed:
            return list({**self._taken, **self._waiting}.values())

    @property
    def closing(self) -> bool:
        """Whether the driver waits until the backlog is written."""
        return self._closing

    def put(self, updates: Iterable[Update]) -> bool:
        """Add updates; True if no thread takes them, so that the caller has to start one."""
        with self._changed:
            for update in updates:
                earlier = self._waiting.pop(update.subject, None)
                self._waiting[update.subject] = update.after(earlier) if earlier else update
            start, self._served, self._closing = not self._served, True, False
            self._changed.notify_all()
            return start

    def put_back(self, updates: Iterable[Update]) -> None:
        """Return updates that could not be written; those that came meanwhile are newer."""
        with self._changed:
            self._taken = {}
            for update in updates:
                newer = self._waiting.get(update.subject)
                self._waiting[update.subject] = newer.after(update) if newer else update

    def take(self, gather_s: float) -> list[Update]:
        """Wait for updates and take them all; an empty list only when closing with none left.

        Updates gather for `gather_s` seconds first, so that they are written in batches.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closing, timeout=gather_s)
            self._changed.wait_for(lambda: self._waiting or self._closing)
            self._taken, self._waiting = self._waiting, {}
            return list(self._taken.values())

    def written(self, update: Update) -> None:
        """An update that was taken is dealt with."""
        with self._changed:
            del self._taken[update.subject]

    def close(self) -> None:
        """Ask the thread to write the rest without delay and to end."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def ends(self) -> bool:
        """Whether the thread may end; False if an update came after `close`."""
        with self._changed:
            self._served = not self._closing
            return self._closing
