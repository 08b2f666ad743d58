"""Whether a trial that ran again agrees with its record: to the bit, or as another seed would."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel

from prunetune.records.record import Record
from prunetune.statistics.intervals import prediction_interval, spread_interval

_FREE = (
    "schema_", "sweep", "started_at", "ended_at", "wall_s", "peak_memory_bytes", "versions",
    "train_macs", "test_outputs", "would_stop_at", "failed_by", "device", "dtype", "threads",
)  # fmt: skip
"""Fields that say where, when and at what price a trial ran, not what it computed."""


class Reproduction(BaseModel):
    """How a trial that ran again compares with its record."""

    trial: str
    sweep: str
    status: tuple[str, str]
    """Of the record, and of the new run; likewise below."""
    not_promised: tuple[str, ...]
    """Why the same bits are not to be expected; empty if they are."""
    differing: tuple[str, ...]
    """What is not equal to the last bit: fields of the record, and `weights`."""
    metric: str | None
    """`test_acc1`, or `val_acc1` for trials that do not open the test set."""
    values: tuple[float | None, float | None]
    low: float | None = None
    high: float | None = None
    """The 95 % prediction interval of one more run, from the seeds that there are."""
    n: int = 0
    """Runs behind the interval."""
    agrees: bool | None
    """None: the bits differ as they may, and there is no second seed to judge the difference by."""

    def sentence(self) -> str:
        """The verdict in words."""
        before, after = self.values
        moved = ""
        if self.metric and before is not None and after is not None:
            moved = f"; {self.metric} {before:.4f} then, {after:.4f} now"
        if not self.differing:
            return f"agrees to the last bit{moved}"
        differing = f"differs in {', '.join(self.differing)}{moved}"
        if not self.not_promised:
            return f"disagrees: the same bits are promised here, and it {differing}"
        why = f"the same bits are not promised ({'; '.join(self.not_promised)})"
        if self.status[0] != self.status[1]:
            return f"disagrees: it ended as {self.status[0]} then, and as {self.status[1]} now"
        if self.low is None or self.high is None:
            return f"cannot be judged: {why}, there is no second seed, and it {differing}"
        inside = "agrees: within" if self.agrees else "disagrees: outside"
        interval = f"[{self.low:.4f}, {self.high:.4f}], the prediction interval of {self.n} runs"
        return f"{inside} {interval}{moved}; {why}"


def compare_runs(
    before: Record,
    after: Record,
    records: Iterable[Record],
    *,
    deterministic: bool,
    weights_differ: bool,
    grain: float,
) -> Reproduction:
    """How a new run of a trial compares with its record.

    Args:
        before: the record.
        after: the record of the new run.
        records: all of the sweep, for the spread over seeds.
        deterministic: whether a GPU's kernels repeat their results.
        weights_differ: whether the weights of both are known, and differ.
        grain: one image of the metric's split, as an accuracy.
    """
    metric = next((m for m in ("test_acc1", "val_acc1") if getattr(before, m) is not None), None)
    values = (getattr(before, metric), getattr(after, metric)) if metric else (None, None)
    differing = (*_differing(before, after), *(("weights",) if weights_differ else ()))
    why = tuple(_not_promised(before, after, deterministic))
    low, high, n = _interval(before, list(records), metric, grain) if metric else (None, None, 0)
    agrees: bool | None = not differing
    if differing and why:
        agrees = before.status == after.status
        if agrees and metric:
            value = values[1]
            known = low is not None and high is not None and value is not None
            agrees = bool(low <= value <= high) if known else None  # type: ignore[operator]
    return Reproduction(
        trial=before.key,
        sweep=before.sweep,
        status=(before.status, after.status),
        not_promised=why,
        differing=differing,
        metric=metric,
        values=values,
        low=low,
        high=high,
        n=n,
        agrees=agrees,
    )


def _differing(before: Record, after: Record) -> Iterable[str]:
    old, new = _comparable(before), _comparable(after)
    return sorted(name for name in old if old[name] != new[name])


def _comparable(record: Record) -> dict[str, Any]:
    facts = record.model_dump(mode="json", exclude=set(_FREE))
    for epoch in facts["curve"]:
        del epoch["seconds"]
    return facts


def _not_promised(before: Record, after: Record, deterministic: bool) -> Iterable[str]:
    """Why the bits may differ: design and machine differ, or their sums have no fixed order."""
    for name in ("device", "dtype", "threads"):
        then, now = getattr(before, name), getattr(after, name)
        if then != now:
            yield f"{name} {then} then, {now} now"
    changed = {**before.versions, **after.versions}
    for name in sorted(changed):
        then, now = before.versions.get(name), after.versions.get(name)
        if then != now:
            yield f"{name} {then} then, {now} now"
    if before.device == "cpu" and (before.threads or 0) > 1:
        yield f"{before.threads} threads add in no fixed order"
    if before.device != "cpu" and not deterministic:
        yield "a GPU's kernels repeat their results with resources.deterministic alone"


def _interval(
    before: Record, records: Sequence[Record], metric: str, grain: float
) -> tuple[float | None, float | None, int]:
    """The prediction interval of one more run: of the trial's own seeds, else by those of all."""
    own = _values([r for r in records if _same_setting(r, before)], metric)
    if len(own) > 1:
        return (*prediction_interval(own, grain), len(own))
    groups: dict[tuple[object, ...], list[Record]] = {}
    for record in records:
        if record.phase == "confirm":
            groups.setdefault((record.study, record.number), []).append(record)
    spread = [values for group in groups.values() if len(values := _values(group, metric)) > 1]
    value = getattr(before, metric)
    if not spread or not math.isfinite(value):
        return None, None, 0
    return (*spread_interval(value, spread, grain), sum(map(len, spread)))


def _same_setting(record: Record, other: Record) -> bool:
    """Whether they differ in their seeds alone."""
    names = ("phase", "study", "number", "replicate")
    same = all(getattr(record, name) == getattr(other, name) for name in names)
    return same and record.config == other.config


def _values(records: Iterable[Record], metric: str) -> list[float]:
    values = (getattr(r, metric) for r in records if r.status == "completed")
    return [value for value in values if value is not None]
