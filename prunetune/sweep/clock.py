"""How long an epoch takes, as a function of a network's MACs, read from finished trials."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

import numpy as np

from prunetune.analysis.format import plural
from prunetune.plan import Plan
from prunetune.records.record import Record


@dataclass(frozen=True)
class Clock:
    """Seconds of an epoch by a network's MACs, interpolated between measured points."""

    source: str
    points: tuple[tuple[int, float], ...]
    """(MACs, seconds), ascending."""

    def epoch(self, macs: int) -> float:
        """Seconds of one epoch of a network with `macs`; beyond the ends, the nearest point's."""
        xs, ys = zip(*self.points, strict=True)
        return float(np.interp(macs, xs, ys))


def recorded_clock(plan: Plan, sweeps: Iterable[tuple[Plan, Iterable[Record]]]) -> Clock | None:
    """A clock from finished trials of the plan's model, on the device that ran most of them.

    None if there are no such trials. Seconds are scaled to the plan's number of training images.
    """
    by_device: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for former, records in sweeps:
        if former.dense.macs != plan.dense.macs or former.dense.network != plan.dense.network:
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
    device, seconds_by_macs = max(
        by_device.items(), key=lambda item: sum(map(len, item[1].values()))
    )
    points = tuple(sorted((macs, median(seconds)) for macs, seconds in seconds_by_macs.items()))
    return Clock(f"finished trials on {device}", points)
