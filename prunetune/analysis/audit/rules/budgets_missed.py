"""Budgets: networks must have the MACs that the comparison says they have."""

from __future__ import annotations

from collections.abc import Iterator

from prunetune.analysis.audit.case import Case
from prunetune.analysis.audit.rule import Flaw, rule
from prunetune.analysis.format import plural
from prunetune.plan import Study
from prunetune.records.record import Record


@rule(
    "data",
    "error",
    "warning",
    reason="A network above its budget has an advantage that a figure over requested ratios "
    "hides (a published network for a ratio of 2.55 has 2.61). Arms that cannot meet a budget are "
    "absent there, not equal.",
)
def budgets_missed(case: Case) -> Iterator[Flaw]:
    """Networks outside the tolerance of their budget, and arms that cannot meet a budget at all."""
    outside: list[Record] = []
    for study in case.plan.feasible():
        outcome = case.outcome(study)
        ended = (*outcome.search, *outcome.confirms)
        outside += [r for r in ended if r.status == "completed" and _outside(case, study, r)]
    if outside:
        worst = max(outside, key=lambda r: abs((r.macs or 0) - r.target_macs) / r.target_macs)
        yield Flaw(
            "error",
            f"{plural(len(outside), 'network')} missed the budget; the worst has {worst.macs:,} "
            f"MACs for a target of {worst.target_macs:,} ({worst.study}).",
            "Leave these networks out, or state their achieved MACs instead of the budget.",
            tuple(r.key for r in outside),
        )
    for study in case.plan.studies:
        if study.infeasible and study.replicate == 0:
            yield Flaw(
                "warning",
                f"{study.id} does not exist: {study.infeasible}.",
                "Say that the arm has no network at this budget.",
            )


def _outside(case: Case, study: Study, record: Record) -> bool:
    """Whether the achieved MACs lie outside [-tolerance, 0] of the target."""
    if record.macs is None or study.budget is None:
        return False
    least = (1 - case.plan.tolerance) * record.target_macs
    return not least <= record.macs <= record.target_macs
