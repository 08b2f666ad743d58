"""Observers of a running sweep, and a broadcast that shields the sweep from their failures."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from prunetune.records.record import Epoch, Record, TrialSpec

_log = logging.getLogger(__name__)


class Observer(Protocol):
    """Hears of every event of a sweep, after the event is on disk.

    The driver calls observers between two decisions; slow work belongs in a thread.
    """

    def on_dealt(self, spec: TrialSpec) -> None:
        """A trial is about to run, for the first time or again."""

    def on_epoch(self, spec: TrialSpec, epoch: Epoch) -> None:
        """A running trial has finished an epoch; a resumed trial reports its past epochs again."""

    def on_record(self, record: Record) -> None:
        """A trial has ended and its record is written."""

    def close(self) -> None:
        """The run is over; the sweep may be continued later."""


class Broadcast:
    """Passes events on to observers; catches their exceptions and logs the first of each."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = tuple(observers)
        self._warned: set[int] = set()

    def on_dealt(self, spec: TrialSpec) -> None:
        """See Observer."""
        self._tell(lambda o: o.on_dealt(spec))

    def on_epoch(self, spec: TrialSpec, epoch: Epoch) -> None:
        """See Observer."""
        self._tell(lambda o: o.on_epoch(spec, epoch))

    def on_record(self, record: Record) -> None:
        """See Observer."""
        self._tell(lambda o: o.on_record(record))

    def close(self) -> None:
        """See Observer."""
        self._tell(lambda o: o.close())

    def _tell(self, event: Callable[[Observer], None]) -> None:
        for observer in self._observers:
            try:
                event(observer)
            except (Exception, SystemExit):  # rich raises the latter for a closed pipe
                if id(observer) not in self._warned:
                    self._warned.add(id(observer))
                    name = type(observer).__name__
                    _log.warning("%s failed; the sweep goes on", name, exc_info=True)
