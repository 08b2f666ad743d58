"""What MLflow has not heard yet: one entry per run, newer news merged into older.

So it stays small however long a server is away: a trial's record swallows its epochs.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from prunetune.records.record import Epoch, Record, TrialSpec
from prunetune.tracking.layout import StudyResult

if TYPE_CHECKING:
    import numpy as np

    from prunetune.tracking.writer import Writer


class Work(Protocol):
    """Something to be written; `slot` names what it is about."""

    @property
    def slot(self) -> str:
        """Two works of one slot are merged."""
        ...

    def after(self, earlier: Any) -> Work:
        """This and an earlier work of the same slot as one."""
        ...

    def write(self, writer: Writer) -> None:
        """Write it; may raise, and may then be called again."""
        ...


@dataclass(frozen=True)
class Progress:
    """A trial under way, with epochs and the moments (ms since 1970) they were heard of."""

    spec: TrialSpec
    epochs: tuple[tuple[Epoch, int], ...] = ()

    @property
    def slot(self) -> str:
        """The trial's key."""
        return self.spec.key

    def after(self, earlier: Progress | Ended) -> Work:
        """Both lists of epochs; a trial dealt again after its end is a new attempt."""
        return replace(self, epochs=(*getattr(earlier, "epochs", ()), *self.epochs))

    def write(self, writer: Writer) -> None:
        """Log the trial and its epochs."""
        writer.trial(self.spec, self.epochs)


@dataclass(frozen=True)
class Latest:
    """Base of works that replace any earlier one."""

    def after(self, earlier: Any) -> Any:
        """This one alone."""
        return self


@dataclass(frozen=True)
class Ended(Latest):
    """A finished trial."""

    record: Record

    @property
    def slot(self) -> str:
        """The trial's key."""
        return self.record.key

    def write(self, writer: Writer) -> None:
        """Log the whole record."""
        writer.record(self.record)


@dataclass(frozen=True)
class Confirmed(Latest):
    """A study's result on fresh seeds."""

    study_id: str
    result: StudyResult

    @property
    def slot(self) -> str:
        """The study's id."""
        return f"study {self.study_id}"

    def write(self, writer: Writer) -> None:
        """Log the result at the study's run."""
        writer.study(self.study_id, self.result)


@dataclass(frozen=True)
class Reported(Latest):
    """The folder of the report."""

    folder: Path
    slot: str = "report"

    def write(self, writer: Writer) -> None:
        """Upload the folder."""
        writer.report(self.folder)


@dataclass(frozen=True)
class Won(Latest):
    """A winner's network."""

    record: Record
    model: Any
    example: np.ndarray[Any, Any]

    @property
    def slot(self) -> str:
        """The winner's study."""
        return f"winner {self.record.study}"

    def write(self, writer: Writer) -> None:
        """Log the network as a model."""
        writer.winner(self.record, self.model, self.example)


class Backlog:
    """A mailbox between the driver, which never waits, and the thread that writes."""

    def __init__(self) -> None:
        self._waiting: dict[str, Work] = {}
        self._changed = threading.Condition()
        self._closing = False
        self._served = False

    def __len__(self) -> int:
        with self._changed:
            return len(self._waiting)

    @property
    def closing(self) -> bool:
        """Whether the driver waits for the rest to be written."""
        return self._closing

    def put(self, works: Iterable[Work]) -> bool:
        """Add news; True if there is nobody to take it and a thread is to be started."""
        with self._changed:
            for work in works:
                earlier = self._waiting.pop(work.slot, None)
                self._waiting[work.slot] = work.after(earlier) if earlier else work
            start, self._served, self._closing = not self._served, True, False
            self._changed.notify_all()
            return start

    def put_back(self, works: Iterable[Work]) -> None:
        """Return what could not be written; what has come in meanwhile is newer."""
        with self._changed:
            for work in works:
                newer = self._waiting.get(work.slot)
                self._waiting[work.slot] = newer.after(work) if newer else work

    def take(self, gather_s: float) -> list[Work]:
        """All that waits, once something does; empty only when closing and nothing is left.

        News is given `gather_s` seconds to gather, so that it is written in batches.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closing, timeout=gather_s)
            self._changed.wait_for(lambda: self._waiting or self._closing)
            taken, self._waiting = list(self._waiting.values()), {}
            return taken

    def close(self) -> None:
        """Ask the thread to write the rest without delay and to end."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def ends(self) -> bool:
        """Whether the thread may end: False if news came since it was asked to."""
        with self._changed:
            self._served = not self._closing
            return self._closing
