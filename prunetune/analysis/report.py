"""The report of a sweep: the plan and the records in, verdicts with their evidence out."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from prunetune.agenda import Agenda, Trials
from prunetune.analysis.audit.case import Case
from prunetune.analysis.audit.finding import Finding
from prunetune.analysis.audit.rule import audit_findings
from prunetune.analysis.evidence.beyond_top1 import BeyondTop1, beyond_top1
from prunetune.analysis.evidence.break_evens import BudgetBreakEven, break_evens
from prunetune.analysis.evidence.confirmed import confirmed_studies
from prunetune.analysis.evidence.detectable import detectable_difference
from prunetune.analysis.evidence.efforts import EffortCurve, effort_curves
from prunetune.analysis.evidence.frontier import (
    DenseResult,
    FrontierRow,
    dense_result,
    frontier_rows,
)
from prunetune.analysis.evidence.growths import changes, effort_after_a_look
from prunetune.analysis.evidence.images import NO_IMAGES, TestImages
from prunetune.analysis.evidence.latencies import (
    Latency,
    LatencyCorrelation,
    latencies,
    latency_correlations,
)
from prunetune.analysis.evidence.ledger import Ledger, ledger
from prunetune.analysis.evidence.other_sweeps import other_sweeps
from prunetune.analysis.evidence.point_costs import point_costs
from prunetune.analysis.evidence.rungs import Rung, rungs
from prunetune.analysis.evidence.samples import contests
from prunetune.analysis.verdicts.answer import answer, withheld
from prunetune.analysis.verdicts.caveats import caveats
from prunetune.analysis.verdicts.comparisons import compare
from prunetune.analysis.verdicts.frontier_sentences import frontier_sentence
from prunetune.analysis.verdicts.frontiers import FrontierVerdict
from prunetune.analysis.verdicts.preregistration import PreRegistration, preregistration
from prunetune.analysis.verdicts.second_verdicts import SecondVerdict, second_verdicts
from prunetune.analysis.verdicts.sentences import sentence
from prunetune.analysis.verdicts.verdict import Verdict, verdicts
from prunetune.plan import Comparison, Plan
from prunetune.records.record import Frozen, Record
from prunetune.records.record_builder import now
from prunetune.records.store import Store


class Report(Frozen):
    """The results of a sweep and their cost."""

    schema_: int = Field(default=1, alias="schema")
    sweep: str
    question: str
    created_at: str
    dense: DenseResult
    verdicts: tuple[Verdict, ...]
    sentences: tuple[str, ...]
    """Each verdict in words, in the order of `verdicts`."""
    answer: str = ""
    """The strongest sentence that the intervals allow, for the top of the page."""
    withheld: bool = False
    """Whether doubts about the dense network forbid to name winners at the top of the page."""
    frontiers: tuple[FrontierVerdict, ...] = ()
    """The verdict on each pair of arms over all budgets; empty where the plan compares none."""
    frontier_sentences: tuple[str, ...] = ()
    """Each of them in words, in the order of `frontiers`."""
    preregistration: PreRegistration = PreRegistration()
    limits: tuple[str, ...]
    """Caveats: what this setting cannot settle."""
    frontier: tuple[FrontierRow, ...]
    ledger: Ledger
    family: tuple[Comparison, ...]
    second_verdicts: tuple[SecondVerdict, ...] = ()
    """The verdicts that shorter searches would have led to: at equal search MACs, and with half of
    the trials."""
    rungs: tuple[Rung, ...] = ()
    """What each matching holds equal between the arms; `rung_label` says it on figures."""
    efforts: tuple[EffortCurve, ...] = ()
    """The best of each search against its trials and MACs."""
    break_evens: tuple[BudgetBreakEven, ...] = ()
    """At which training length an arm from scratch equals one that inherits weights."""
    beyond_top1: tuple[BeyondTop1, ...] = ()
    """Likelihood, calibration, classes and disagreement, where outputs per image were kept."""
    latencies: tuple[Latency, ...] = ()
    """The networks that `prunetune bench` has timed."""
    latency_correlations: tuple[LatencyCorrelation, ...] = ()
    """How closely their times follow their MACs."""
    findings: tuple[Finding, ...] = ()
    """What the audit found, the gravest first."""


def analyse(
    plan: Plan,
    records: Mapping[str, Record],
    created_at: str | None = None,
    store: Store | None = None,
) -> Report:
    """Judge the records of a sweep, finished or not; their order does not matter.

    The store tells what other sweeps took from the same test images; None: that is not known.
    """
    agenda = Agenda(plan, Trials(records))
    confirmed = confirmed_studies(agenda)
    dense = dense_result(plan, records.values())
    rows = frontier_rows(plan, records.values(), confirmed, dense)
    compared = tuple(contests(plan, confirmed))
    grown = changes(plan, records.values())
    images = TestImages(store.test_outputs_of) if store else NO_IMAGES
    growths = len(effort_after_a_look(grown))
    timed = latencies(plan, records, store.benches()) if store else []
    judged = compare(plan, compared, images, grown=growths)
    at_budgets = verdicts(plan, compared, judged.pairs)
    points = point_costs(agenda)
    others = other_sweeps(store, plan) if store else ()
    second = second_verdicts(agenda, confirmed, at_budgets, judged.frontiers, growths)
    case = Case(agenda, confirmed, dense, rows, at_budgets, judged.frontiers, others, second)
    doubts = [doubt.reason for doubt in case.dense_doubts]
    return Report(
        sweep=plan.sweep,
        question=plan.question,
        created_at=created_at or now(),
        dense=dense,
        verdicts=at_budgets,
        sentences=tuple(sentence(plan, verdict) for verdict in at_budgets),
        answer=answer(plan, judged.frontiers, at_budgets, doubts),
        withheld=withheld(judged.frontiers, at_budgets, doubts),
        frontiers=judged.frontiers,
        frontier_sentences=tuple(frontier_sentence(plan, f) for f in judged.frontiers),
        preregistration=preregistration(plan, grown, confirmed, judged.pairs.values()),
        limits=tuple(caveats(plan, at_budgets, judged.frontiers, rows, grown=growths > 0)),
        frontier=rows,
        ledger=ledger(records.values(), plan.arms(), points),
        family=plan.family,
        second_verdicts=second,
        rungs=rungs(plan),
        efforts=effort_curves(agenda, detectable_difference(plan, confirmed.values())),
        break_evens=break_evens(plan, confirmed, points),
        beyond_top1=beyond_top1(plan, records, confirmed, store.test_outputs_of) if store else (),
        latencies=tuple(timed),
        latency_correlations=tuple(latency_correlations(timed)),
        findings=audit_findings(case),
    )
