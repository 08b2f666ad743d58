"""The ledger: everything that was computed, every MAC once, lost and stopped trials included."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydantic import Field

from prunetune.analysis.evidence.point_costs import PointCost, spent_by
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
    points: tuple[PointCost, ...] = ()
    """What each study costs. Their `spent_macs` and that of the dense networks are the total."""
    dense_networks: int = 0
    """Dense networks that were trained or loaded."""
    heirs: int = 0
    """Networks that inherited weights from them: over so many the sweep itself spread the price."""


def ledger(
    records: Iterable[Record], arms: Sequence[str] = (), points: Sequence[PointCost] = ()
) -> Ledger:
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
        spent_macs=spent_by(ordered),
        spent_s=_spent_s(ordered),
        by_arm={arm: spent_by(group) for arm, group in by_arm.items()},
        by_phase={phase: spent_by(group) for phase, group in by_phase.items()},
        seconds_by_arm={arm: _spent_s(group) for arm, group in by_arm.items()},
        seconds_by_phase={phase: _spent_s(group) for phase, group in by_phase.items()},
        trials_by_arm={arm: len(group) for arm, group in by_arm.items()},
        trials_by_phase={phase: len(group) for phase, group in by_phase.items()},
        points=tuple(points),
        dense_networks=len(by_phase["dense"]),
        heirs=sum("dense" in r.inputs for r in ordered),
    )


def _spent_s(records: Iterable[Record]) -> float:
    """Seconds of wall time that these trials took, to the millisecond."""
    return round(sum(r.wall_s.get("total", 0.0) for r in records), 3)
