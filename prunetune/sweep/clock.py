"""How long an epoch takes, as a function of a network's MACs, read from finished trials."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from prunetune.analysis.format import plural
from prunetune.plan import Plan
from prunetune.records.record import Record


@dataclass(frozen=True)
class Clock:
    """Seconds of an epoch at some MACs, in between by straight lines."""

    source: str
    points: tuple[tuple[int, float], ...]
    """(MACs, seconds), ascending."""

    def epoch(self, macs: int) -> float:
        """Seconds of one epoch of a network of `macs`; the nearest point's beyond the ends."""
        xs, ys = zip(*self.points, strict=True)
        return float(np.interp(macs, xs, ys))


def from_records(plan: Plan, sweeps: Iterable[tuple[Plan, Iterable[Record]]]) -> Clock | None:
    """From finished trials of this model on one device, that with most of them; None without.

    An epoch of a sweep on fewer images counts as much longer as this one has more.
    """
    by_device: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for former, records in sweeps:
        if former.dense.macs != plan.dense.macs or _model(former) != _model(plan):
            continue
        masked = {study.id for study in former.studies if study.masked}
        for record in (r for r in records if r.curve and r.macs):
            macs = record.dense_macs if record.study in masked else record.macs
            seconds = median(epoch.seconds for epoch in record.curve)
            seconds *= plan.train_size / former.train_size
            device = f"{record.device}, {plural(record.threads or 1, 'thread')}"
            by_device[device][macs or 0].append(seconds)
    if not by_device:
        return None
    device, found = max(by_device.items(), key=lambda item: sum(map(len, item[1].values())))
    points = tuple(sorted((macs, median(seconds)) for macs, seconds in found.items()))
    return Clock(f"finished trials on {device}", points)


def _model(plan: Plan) -> Any:
    return plan.dense.architecture["model"]
