"""How long a sweep has run in all its starts together: kept in the storage, for `limits.hours`.

Only differences of the monotonic clock are added, so that a clock that is set changes nothing.
"""

from __future__ import annotations

import logging
import time

from pydantic import BaseModel, ConfigDict, ValidationError

from prunetune.records.files import StoredFile

_SAVE_S = 10.0
"""A kill loses at most so much, and what passes between two reports of trials."""
_log = logging.getLogger(__name__)


class _Saved(BaseModel):
    model_config = ConfigDict(frozen=True)

    seconds: float


class RunningTime:
    """Counts the seconds from its first use; the seconds of former starts are in `file`."""

    def __init__(self, file: StoredFile) -> None:
        self._file = file
        self._past = saved_seconds(file)
        self._start: float | None = None
        self._saved = 0.0

    @property
    def seconds(self) -> float:
        """The seconds of all starts so far."""
        running = 0.0 if self._start is None else time.monotonic() - self._start
        return (self._past or 0.0) + running

    def go_on(self) -> None:
        """Begin to count, or save what has been counted if that was not done lately.

        Raises:
            StorageError: the file cannot be written.
        """
        now = time.monotonic()
        if self._start is None:
            if self._past is None:
                self._set_aside()
            self._start = self._saved = now
        elif now - self._saved >= _SAVE_S:
            self.save()

    def save(self) -> None:
        """Save the seconds of all starts.

        Raises:
            StorageError: the file cannot be written.
        """
        self._saved = time.monotonic()
        self._file.write_json(_Saved(seconds=round(self.seconds, 1)))

    def _set_aside(self) -> None:
        name = self._file.set_aside().name
        _log.warning(
            "%s: damaged, set aside as %s; limits.hours counts from now on", self._file, name
        )


def saved_seconds(file: StoredFile) -> float | None:
    """How long the sweep had run when this was last saved; 0 if it was not, None if damaged."""
    if not file.exists():
        return 0.0
    try:
        return _Saved.model_validate_json(file.read()).seconds
    except ValidationError:
        return None
