"""How often a trial broke off: kept in its folder, so that no restart of the driver forgets it.

Exceptions are the trial's own doing and are counted one by one. A worker or node that dies, or a
trial that hangs, is the machines' doing more than the trial's: such breaks count only while the
trial gets no further than it ever was. A node that was taken away with notice does not count.
"""

from __future__ import annotations

import logging
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from prunetune.records.files import StoredFile
from prunetune.records.record import BY_SURROUNDINGS, FailedBy
from prunetune.records.record_builder import now

_log = logging.getLogger(__name__)
RETRIES = 2
"""How often a trial that raised is run again before it counts as failed."""
STANDSTILLS = 5
"""How often in a row a trial may die or hang and come no further than before."""


class Break(BaseModel):
    """One time that the trial broke off."""

    model_config = ConfigDict(frozen=True)

    at: str
    kind: Literal["exception", "death", "hang", "preemption"]
    error: str
    progress: int
    """How far the trial had come, as a number that grows whenever it gets further than ever."""


class _Breaks(BaseModel):
    breaks: tuple[Break, ...] = ()


class BreakLog:
    """The breaks of one trial, read from its folder; a damaged file is set aside."""

    def __init__(self, file: StoredFile) -> None:
        self._file = file
        self.breaks: tuple[Break, ...] = ()
        if file.exists():
            try:
                self.breaks = _Breaks.model_validate_json(file.read()).breaks
            except ValidationError:
                name = file.set_aside().name
                _log.warning(
                    "%s: damaged, set aside as %s; its trial has all its retries again",
                    file,
                    name,
                )

    def add(self, kind: Literal[FailedBy, "preemption"], error: str, progress: int) -> None:
        """Add a break, and save all.

        Raises:
            StorageError: the file cannot be written.
        """
        assert kind != "memory"
        self.breaks += (Break(at=now(), kind=kind, error=error, progress=progress),)
        self._file.write_json(_Breaks(breaks=self.breaks))

    @property
    def exceptions(self) -> int:
        """How often the trial raised."""
        return sum(each.kind == "exception" for each in self.breaks)

    @property
    def standstills(self) -> int:
        """How often in a row, up to the last break, it died or hung no further than before."""
        count, furthest = 0, -1
        for each in self.breaks:
            if each.kind in BY_SURROUNDINGS:
                count = count + 1 if each.progress <= furthest else 0
                furthest = max(furthest, each.progress)
        return count

    @property
    def exhausted(self) -> bool:
        """Whether the trial has had all its retries."""
        return self.exceptions > RETRIES or self.standstills >= STANDSTILLS

    def verdict(self) -> str:
        """Why the trial counts as failed, in words."""
        last = self.breaks[-1]
        if last.kind not in BY_SURROUNDINGS:
            return last.error
        times = f"{self.standstills + 1} times in a row without getting further"
        return f"{last.error}, {times}: a fault of the machines more than of the configuration"
