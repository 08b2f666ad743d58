"""The ledger: all that was computed, each MAC once, lost and stopped trials included."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydantic import Field

from prunetune.records.record import PHASES, Frozen, Record


class Ledger(Frozen):
    """MACs and seconds spent. The values of `by_arm` sum to the total, and so do `by_phase`'s."""

    spent_macs: int = 0
    spent_s: float = 0.0
    by_arm: dict[str, int] = Field(default_factory=dict)
    by_phase: dict[str, int] = Field(default_factory=dict)
    seconds_by_arm: dict[str, float] = Field(default_factory=dict)
    seconds_by_phase: dict[str, float] = Field(default_factory=dict)
    trials_by_arm: dict[str, int] = Field(default_factory=dict)
    trials_by_phase: dict[str, int] = Field(default_factory=dict)


def ledger(records: Iterable[Record], arms: Sequence[str] = ()) -> Ledger:
    """The ledger of a sweep; the dense networks, which belong to no arm, stand under `dense`."""
    rows = sorted(records, key=lambda r: r.key)
    shared = "dense" if "dense" not in arms else "dense network"
    by_arm = {arm: [r for r in rows if r.arm == arm] for arm in arms}
    by_arm[shared] = [r for r in rows if r.arm is None]
    for row in rows:  # arms that the plan no longer has
        if row.arm is not None and row.arm not in by_arm:
            by_arm[row.arm] = [r for r in rows if r.arm == row.arm]
    by_phase = {phase: [r for r in rows if r.phase == phase] for phase in PHASES}
    return Ledger(
        spent_macs=macs(rows),
        spent_s=seconds(rows),
        by_arm={name: macs(some) for name, some in by_arm.items()},
        by_phase={name: macs(some) for name, some in by_phase.items()},
        seconds_by_arm={name: seconds(some) for name, some in by_arm.items()},
        seconds_by_phase={name: seconds(some) for name, some in by_phase.items()},
        trials_by_arm={name: len(some) for name, some in by_arm.items()},
        trials_by_phase={name: len(some) for name, some in by_phase.items()},
    )


def macs(records: Iterable[Record]) -> int:
    """MACs that these trials spent."""
    return sum(r.train_macs.spent for r in records)


def seconds(records: Iterable[Record]) -> float:
    """Seconds of wall time that these trials took, to the millisecond."""
    return round(sum(r.wall_s.get("total", 0.0) for r in records), 3)
