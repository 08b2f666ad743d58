"""What a trial has spent so far, kept beside its checkpoint so that no crash forgets it."""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from prunetune.records.files import StoredFile
from prunetune.records.record import TrainMacs
from prunetune.records.record_builder import now

STAGES = ("sparsify", "score", "train")


class CostMeter:
    """Books MACs and seconds; `spent` survives a crash, for each epoch is booked before it begins.

    What a point costs alone (`sparsify`, `score`, `train`) is counted once, however often a crash
    made the trial compute it; what was really computed goes to `spent` every time.
    """

    def __init__(
        self, file: StoredFile, inherited_macs: int, payer: CostMeter | None = None
    ) -> None:
        self._file = file
        self._inherited = inherited_macs
        self._payer = payer
        """The books of the trial that all this is spent for, where it is another's."""
        self._macs: Counter[str] = Counter()
        self._seconds: defaultdict[str, float] = defaultdict(float)
        past = json.loads(file.read()) if file.exists() else {}
        self.started_at: str = past.get("started_at", now())
        self._spent: int = past.get("macs", 0)
        self._past_seconds: float = past.get("seconds", 0.0)
        self._start = time.perf_counter()
        self._inside = 0.0
        """Seconds of the clocks that ran within the one that is running."""

    def spend(self, macs: int) -> None:
        """Book MACs that are about to be computed, and save the books."""
        if self._payer is not None:
            self._payer.spend(macs)
        self._spent += macs
        total = self._past_seconds + time.perf_counter() - self._start
        books = {"started_at": self.started_at, "macs": self._spent, "seconds": total}
        self._file.write_json(books)

    def attribute(self, stage: str, macs: int) -> None:
        """Count MACs towards what this point costs; `stage` is one of STAGES."""
        self._macs[stage] += macs

    def attributed(self, stage: str) -> int:
        """What was counted towards `stage` so far."""
        return self._macs[stage]

    @contextmanager
    def clock(self, stage: str) -> Iterator[None]:
        """Count the seconds of the block towards `stage`, and to no stage around it."""
        start, around = time.perf_counter(), self._inside
        self._inside = 0.0
        try:
            yield
        finally:
            took = time.perf_counter() - start
            self._seconds[stage] += took - self._inside
            self._inside = around + took

    def train_macs(self) -> TrainMacs:
        """The books as they stand in a record."""
        stages = {stage: self._macs[stage] for stage in STAGES}
        total = sum(stages.values()) + self._inherited
        return TrainMacs(**stages, inherited=self._inherited, total=total, spent=self._spent)

    def wall_s(self) -> dict[str, float]:
        """Seconds by stage in this process, and in all processes that the trial has had."""
        total = self._past_seconds + time.perf_counter() - self._start
        return {**{k: round(v, 4) for k, v in self._seconds.items()}, "total": round(total, 4)}
