"""The report: a sweep's records, judged."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from prunetune.analysis.evidence.confirmed import confirmed
from prunetune.analysis.evidence.frontier import DenseResult, FrontierRow, dense_result, frontier
from prunetune.analysis.evidence.ledger import Ledger, ledger
from prunetune.analysis.evidence.samples import contests
from prunetune.analysis.verdicts.caveats import limits
from prunetune.analysis.verdicts.sentences import sentence
from prunetune.analysis.verdicts.verdict import Verdict, verdicts
from prunetune.plan import Comparison, Plan
from prunetune.records.record import Frozen, Record
from prunetune.records.record_builder import now


class Report(Frozen):
    """What a sweep found out, and what finding out cost."""

    schema_: int = Field(default=1, alias="schema")
    sweep: str
    question: str
    created_at: str
    dense: DenseResult
    verdicts: tuple[Verdict, ...]
    sentences: tuple[str, ...]
    """Each verdict in words."""
    limits: tuple[str, ...]
    """What the setting cannot settle."""
    frontier: tuple[FrontierRow, ...]
    ledger: Ledger
    family: tuple[Comparison, ...]


def analyse(plan: Plan, records: Mapping[str, Record], created_at: str | None = None) -> Report:
    """Judge the records of a sweep, finished or not; their order does not matter."""
    found = confirmed(plan, records)
    dense = dense_result(plan, records.values())
    rows = frontier(plan, records.values(), found, dense)
    judged = verdicts(plan, tuple(contests(plan, found)))
    return Report(
        sweep=plan.sweep,
        question=plan.question,
        created_at=created_at or now(),
        dense=dense,
        verdicts=judged,
        sentences=tuple(sentence(plan, verdict) for verdict in judged),
        limits=tuple(limits(plan, judged, rows)),
        frontier=rows,
        ledger=ledger(records.values(), plan.arms()),
        family=plan.family,
    )
