"""Counts what a trial spends, in a file beside its checkpoint, so that no crash forgets it."""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from prunetune.records.files import StoredFile
from prunetune.records.record import TrainMacs
from prunetune.records.record_builder import now

_STAGES = ("sparsify", "score", "train")
"""Stages whose MACs count towards the cost of a trial."""


class CostMeter:
    """Counts MACs and seconds of one trial.

    MACs are counted twice. `spend` counts all that is computed, epochs lost in a crash included;
    it saves the sum before the computation starts. `attribute` counts the MACs that the result
    needs, each once, however often a crash made the trial compute them again.

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
        past = json.loads(file.read()) if file.exists() else {}
        self.started_at: str = past.get("started_at", now())
        self._spent: int = past.get("macs", 0)
        self._past_seconds: float = past.get("seconds", 0.0)
        self._start = time.perf_counter()
        self._nested_seconds = 0.0
        """Seconds of the clocks that ran inside the clock that is running."""

    def spend(self, macs: int) -> None:
        """Charge MACs that are about to be computed, and save the sum."""
        if self._charged_to is not None:
            self._charged_to.spend(macs)
        self._spent += macs
        content = {"started_at": self.started_at, "macs": self._spent, "seconds": self._total_s()}
        self._file.write_json(content)

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
        total = sum(stages.values()) + self._inherited
        return TrainMacs(**stages, inherited=self._inherited, total=total, spent=self._spent)

    def wall_s(self) -> dict[str, float]:
        """Seconds by stage in this process; `total` adds all processes that the trial had."""
        total = self._total_s()
        return {**{k: round(v, 4) for k, v in self._seconds.items()}, "total": round(total, 4)}

    def _total_s(self) -> float:
        return self._past_seconds + time.perf_counter() - self._start
