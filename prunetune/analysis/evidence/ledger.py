"""The ledger: everything that was computed, every MAC once, lost and stopped trials included."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydantic import Field

from prunetune.records.record import PHASES, Frozen, Record


class Ledger(Frozen):
    """MACs and seconds spent: the total, and its parts by arm and by phase."""

    spent_macs: int = 0
    spent_s: float = 0.0
    by_arm: dict[str, int] = Field(default_factory=dict)
    by_phase: dict[str, int] = Field(default_factory=dict)
    seconds_by_arm: dict[str, float] = Field(default_factory=dict)
    seconds_by_phase: dict[str, float] = Field(default_factory=dict)
    trials_by_arm: dict[str, int] = Field(default_factory=dict)
    trials_by_phase: dict[str, int] = Field(default_factory=dict)


def ledger(records: Iterable[Record], arms: Sequence[str] = ()) -> Ledger:
    """The ledger of a sweep. Dense networks belong to no arm and are listed as `dense`."""
    ordered = sorted(records, key=lambda r: r.key)
    shared = "dense" if "dense" not in arms else "dense network"
    by_arm = {arm: [r for r in ordered if r.arm == arm] for arm in arms}
    by_arm[shared] = [r for r in ordered if r.arm is None]
    for record in ordered:  # arms that the plan no longer has
        if record.arm is not None and record.arm not in by_arm:
            by_arm[record.arm] = [r for r in ordered if r.arm == record.arm]
    by_phase = {phase: [r for r in ordered if r.phase == phase] for phase in PHASES}
    return Ledger(
        spent_macs=spent_macs(ordered),
        spent_s=_spent_s(ordered),
        by_arm={arm: spent_macs(group) for arm, group in by_arm.items()},
        by_phase={phase: spent_macs(group) for phase, group in by_phase.items()},
        seconds_by_arm={arm: _spent_s(group) for arm, group in by_arm.items()},
        seconds_by_phase={phase: _spent_s(group) for phase, group in by_phase.items()},
        trials_by_arm={arm: len(group) for arm, group in by_arm.items()},
        trials_by_phase={phase: len(group) for phase, group in by_phase.items()},
    )


def spent_macs(records: Iterable[Record]) -> int:
    """MACs that these trials computed."""
    return sum(r.train_macs.spent for r in records)


def _spent_s(records: Iterable[Record]) -> float:
    """Seconds of wall time that these trials took, to the millisecond."""
    return round(sum(r.wall_s.get("total", 0.0) for r in records), 3)
