"""Failures: trials without a result, in the search and among the confirm seeds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prunetune.analysis.audit.case import Case
from prunetune.analysis.audit.rule import Flaw, rule
from prunetune.analysis.format import listing
from prunetune.records.record import Record

_ENDS = ("failed", "diverged", "infeasible")
_MANY = 0.1
"""The share of an arm's search trials from which failures are more than a note."""


@rule(
    "course",
    "warning",
    "note",
    reason="A trial that fails is an answer too: AlgoPerf scores it as infinitely slow. Left out, "
    "it makes an arm look more reliable, and a lost confirm seed makes its mean look better.",
)
def failed_trials(case: Case) -> Iterator[Flaw]:
    """Trials that failed, diverged or missed their budget, by arm."""
    for arm in case.plan.arms():
        yield from _search(arm, _records(case, arm, ("search", "rescore")))
        yield from _confirm(arm, _records(case, arm, ("confirm",)))
    dense = [r for r in case.records.values() if r.phase == "dense" and r.status in _ENDS]
    if dense:
        yield Flaw(
            "warning",
            f"Dense networks without a result: {_tally(dense)}.",
            "Run them again with --retry-failed; all that stands on them was closed.",
            tuple(sorted(r.key for r in dense)),
        )


def _search(arm: str, records: list[Record]) -> Iterator[Flaw]:
    lost = [r for r in records if r.status in _ENDS]
    if lost:
        yield Flaw(
            "warning" if len(lost) > _MANY * len(records) else "note",
            f"{len(lost)} of {len(records)} search trials of {arm} have no result: {_tally(lost)}.",
            "Read their errors (trials/KEY/error.txt); run failed ones again with --retry-failed.",
            tuple(r.key for r in lost),
        )


def _confirm(arm: str, records: list[Record]) -> Iterator[Flaw]:
    lost = [r for r in records if r.status in _ENDS]
    if lost:
        yield Flaw(
            "warning",
            f"{len(lost)} of {len(records)} confirm trials of {arm} have no result: "
            f"{_tally(lost)}. The mean is over the others, so it may overstate the arm.",
            "Run failed ones again with --retry-failed; report the others beside the mean.",
            tuple(r.key for r in lost),
        )


def _records(case: Case, arm: str, phases: tuple[str, ...]) -> list[Record]:
    outcomes = (case.outcome(study) for study in case.plan.studies if study.arm == arm)
    counted = (r for o in outcomes for r in (*o.search, *o.rescores, *o.confirms))
    return [record for record in counted if record.phase in phases]


def _tally(records: list[Record]) -> str:
    ends = Counter(record.status for record in records)
    return listing(f"{number} {status}" for status, number in ends.items())
