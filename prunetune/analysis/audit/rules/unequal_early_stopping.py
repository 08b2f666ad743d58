"""Early stopping: a rule that is the same for all arms can still hit one of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations

from prunetune.analysis.audit.case import Case
from prunetune.analysis.audit.rule import Flaw, rule
from prunetune.analysis.evidence.compared import searched_paths
from prunetune.records.record import Record

_LEVEL = 0.05


@rule(
    "arms",
    "warning",
    reason="Early stopping drops recipes that learn late, which networks trained from scratch "
    "need: in our records 7 of the 8 stopped trials were such networks.",
)
def unequal_early_stopping(case: Case) -> Iterator[Flaw]:
    """Arms of which early stopping ended, or would have ended, unequal shares of trials."""
    judged = {arm: _judged(case, arm) for arm in case.plan.arms()}
    for a, b in combinations(judged, 2):
        tallies = [(sum(map(_stopped, judged[arm])), len(judged[arm])) for arm in (a, b)]
        if fisher_exact(*tallies) < _LEVEL:
            (stopped_a, all_a), (stopped_b, all_b) = tallies
            yield Flaw(
                "warning",
                f"Early stopping ended or would have ended {stopped_a} of {all_a} trials of {a}, "
                f"and {stopped_b} of {all_b} of {b}.",
                "Switch early stopping off (search.early_stopping: null), or judge trials later.",
                tuple(r.key for arm in (a, b) for r in judged[arm] if _stopped(r)),
            )


def _judged(case: Case, arm: str) -> list[Record]:
    """The search trials of an arm that early stopping could judge."""
    return [
        record
        for study in case.plan.studies
        if study.arm == arm and searched_paths(study)
        for record in case.outcome(study).search
        if record.status in ("completed", "stopped")
    ]


def _stopped(record: Record) -> bool:
    return record.status == "stopped" or record.would_stop_at is not None


def fisher_exact(a: tuple[int, int], b: tuple[int, int]) -> float:
    """Two-sided p that two shares, as (hits, all), are equal (Fisher's exact test)."""
    hits, total = a[0] + b[0], a[1] + b[1]
    ways = [
        math.comb(a[1], k) * math.comb(b[1], hits - k) if hits - k <= b[1] else 0
        for k in range(min(hits, a[1]) + 1)
    ]
    seen = ways[a[0]]
    return sum(way for way in ways if way <= seen) / math.comb(total, hits)
