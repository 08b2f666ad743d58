"""Counts what a trial spends, in a file beside its checkpoint, so that no crash forgets it.

The file also says where the trial runs, since when, and how far it came.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import BaseModel, ConfigDict, ValidationError

from prunetune.records.files import StoredFile
from prunetune.records.record import TrainMacs
from prunetune.records.record_builder import now

_log = logging.getLogger(__name__)
_STAGES = ("sparsify", "score", "train")
"""Stages whose MACs count towards the cost of a trial."""


class Spent(BaseModel):
    """What a trial has spent in all its processes, and the process that wrote this last."""

    model_config = ConfigDict(frozen=True)

    started_at: str
    """When the trial began; ISO 8601 in UTC, as all times here."""
    macs: int = 0
    seconds: float = 0.0
    begun: dict[str, int] = {}
    """Training (the name of its checkpoint) -> the highest epoch that was begun."""
    host: str = ""
    process: int = 0
    since: str = ""
    """When that process began with the trial."""
    at: str = ""
    """When it wrote this."""

    @property
    def progress(self) -> int:
        """A number that grows whenever the trial gets further than it ever was."""
        return sum(self.begun.values())


def read_spent(file: StoredFile) -> Spent | None:
    """What the file says; None if there is none, or if it is damaged."""
    if not file.exists():
        return None
    try:
        return Spent.model_validate_json(file.read())
    except ValidationError:
        return None


class CostMeter:
    """Counts MACs and seconds of one trial.

    MACs are counted twice. `spend` counts all that is computed, epochs lost in a crash included;
    it saves the sum before the computation starts. `attribute` counts the MACs that the result
    needs, each once, however often a crash made the trial compute them again.

    A damaged file is set aside: what was spent before is then known only as far as the result
    needed it.

    Args:
        file: where the spent MACs and seconds are kept.
        inherited_macs: training MACs of the networks whose weights the trial starts from.
        charged_to: the meter of another trial, for which all of this is spent; None: no other.
    """

    def __init__(
        self, file: StoredFile, inherited_macs: int, charged_to: CostMeter | None = None
    ) -> None:
        self._file = file
        self._inherited = inherited_macs
        self._charged_to = charged_to
        self._macs: Counter[str] = Counter()
        self._seconds: defaultdict[str, float] = defaultdict(float)
        past = read_spent(file)
        if past is None and file.exists():
            _log.warning("%s: damaged, set aside as %s", file, file.set_aside().name)
        self._since = now()
        self._past = past or Spent(started_at=self._since)
        self.started_at = self._past.started_at
        self._spent = self._past.macs
        self._begun = dict(self._past.begun)
        self._start = time.perf_counter()
        self._nested_seconds = 0.0
        """Seconds of the clocks that ran inside the clock that is running."""

    def spend(self, macs: int, training: str = "", epoch: int = 0) -> None:
        """Charge MACs that are about to be computed, and save the sum.

        `training` and `epoch` name the epoch that begins with it, if one does.
        """
        if self._charged_to is not None:
            self._charged_to.spend(macs, f"dense {training}" if training else "", epoch)
        self._spent += macs
        if training:
            self._begun[training] = max(epoch, self._begun.get(training, 0))
        self._file.write_json(
            Spent(
                started_at=self.started_at,
                macs=self._spent,
                seconds=self._total_s(),
                begun=self._begun,
                host=socket.gethostname(),
                process=os.getpid(),
                since=self._since,
                at=now(),
            )
        )

    def attribute(self, stage: str, macs: int) -> None:
        """Count MACs towards the cost of the result; `stage` is `sparsify`, `score` or `train`."""
        self._macs[stage] += macs

    def attributed(self, stage: str) -> int:
        """The MACs counted towards `stage` so far."""
        return self._macs[stage]

    @contextmanager
    def clock(self, stage: str) -> Iterator[None]:
        """Count the seconds of the block towards `stage`, and to no stage around the block."""
        start, nested_around = time.perf_counter(), self._nested_seconds
        self._nested_seconds = 0.0
        try:
            yield
        finally:
            took = time.perf_counter() - start
            self._seconds[stage] += took - self._nested_seconds
            self._nested_seconds = nested_around + took

    def train_macs(self) -> TrainMacs:
        """The MACs as they stand in a record."""
        stages = {stage: self._macs[stage] for stage in _STAGES}
        needed = sum(stages.values())
        return TrainMacs(
            **stages,
            inherited=self._inherited,
            total=needed + self._inherited,
            spent=max(self._spent, needed),  # more was needed only where the file was lost
        )

    def wall_s(self) -> dict[str, float]:
        """Seconds by stage in this process; `total` adds all processes that the trial had."""
        total = self._total_s()
        return {**{k: round(v, 4) for k, v in self._seconds.items()}, "total": round(total, 4)}

    def _total_s(self) -> float:
        return self._past.seconds + time.perf_counter() - self._start
